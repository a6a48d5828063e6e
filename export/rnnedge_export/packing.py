"""A rewritten model as a small file: what nothing uses is dropped, inner names too; equal scales are stored once."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


class _Builder(flatbuffers.Builder):
    """A builder that knows which scales it has packed, and where."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.packed_scales: dict[tuple, int] = {}


class _SharedScale(schema.QuantizationParametersT):
    """A scale and zero point packed once for all tensors that have them: such tables are half of a small file."""

    def Pack(self, builder: Any) -> int:  # noqa: N802 - flatbuffers' name
        key = (tuple(self.scale), tuple(self.zeroPoint), self.quantizedDimension)
        if key not in builder.packed_scales:
            builder.packed_scales[key] = super().Pack(builder)
        return builder.packed_scales[key]


class _AlignedBuffer(schema.BufferT):
    """A buffer packed on a 16-byte boundary, as the schema demands (``force_align: 16``) and C++ writers do."""

    def Pack(self, builder: Any) -> int:  # noqa: N802 - flatbuffers' name
        data = None
        if self.data is not None and len(self.data):
            content = np.ascontiguousarray(self.data, np.uint8).tobytes()
            builder.StartVector(1, len(content), 16)
            builder.head = builder.head - len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def pack(model: Any, size: int) -> bytes:
    """The ``.tflite`` file of a flatbuffers object model, which is tidied on the way; ``size`` is a guess in bytes."""
    _tidy(model)
    _compact(model)
    for buffer in model.buffers:
        buffer.__class__ = _AlignedBuffer
    builder = _Builder(size + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tidy(model: Any) -> None:
    for graph in model.subgraphs:
        kept = {int(i) for i in [*graph.inputs, *graph.outputs]}
        for op in graph.operators:
            kept.update(int(i) for i in [*op.inputs, *op.outputs] if i >= 0)
            kept.update(int(i) for i in (op.intermediates if op.intermediates is not None else []))
        order = {old: new for new, old in enumerate(sorted(kept))}
        graph.tensors = [graph.tensors[old] for old in order]
        for owner in [graph, *graph.operators]:
            for field in ("inputs", "outputs", "intermediates"):
                indices = getattr(owner, field, None)
                if indices is not None:
                    setattr(owner, field, np.array([order.get(int(i), -1) for i in indices], np.int32))
        for signature in model.signatureDefs or []:
            if model.subgraphs[signature.subgraphIndex] is graph:
                for entry in [*signature.inputs, *signature.outputs]:
                    entry.tensorIndex = order[entry.tensorIndex]
        for tensor in graph.tensors:  # only inputs and outputs need a name
            tensor.name = None
    for signature in model.signatureDefs or []:
        graph = model.subgraphs[signature.subgraphIndex]
        for entry in [*signature.inputs, *signature.outputs]:
            graph.tensors[entry.tensorIndex].name = entry.name
    _tidy_buffers(model)
    used = sorted({op.opcodeIndex for graph in model.subgraphs for op in graph.operators})
    model.operatorCodes = [model.operatorCodes[i] for i in used]
    for graph in model.subgraphs:
        for op in graph.operators:
            op.opcodeIndex = used.index(op.opcodeIndex)


def _compact(model: Any) -> None:
    """Share what may be shared: the empty buffer, and equal scales."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is None or len(data) == 0:
                tensor.buffer = 0
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
            elif tensor.quantization is not None:
                tensor.quantization.__class__ = _SharedScale
    _tidy_buffers(model)


def _tidy_buffers(model: Any) -> None:
    owners = [tensor for graph in model.subgraphs for tensor in graph.tensors] + list(model.metadata or [])
    # Buffer 0 is the empty one by convention.
    order = {old: new for new, old in enumerate(sorted({0} | {owner.buffer for owner in owners}))}
    model.buffers = [model.buffers[old] for old in order]
    for owner in owners:
        owner.buffer = order[owner.buffer]
