"""Finishing touches on a converted file that the converter has no option for.

* ``carry_int8``: the converter hands loop variables through a WHILE as float32, with QUANTIZE and DEQUANTIZE of one
  and the same scale at both ends of the body. They are lossless, but cost four operators a step: the variable itself
  becomes int8.
* ``bind_inputs``: initial states are traced as inputs and become constants here. Traced as constants they would be
  folded into the first step without their scale, and that step would round otherwise than the rest.
* ``snap_factors`` (``snapping.py``): every product's rescaling factor becomes one that all machines round alike.
* ``widen_softmaxes`` (``softmaxes.py``): SOFTMAX computes in int16, where all machines have the same kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from rnnedge_export.objects import OP, add_buffer, code_of, maker_of, scale_of, users_of
from rnnedge_export.packing import pack
from rnnedge_export.snapping import snap_factors
from rnnedge_export.softmaxes import widen_softmaxes


def finish(data: bytes, bound: Iterable[str] = ()) -> bytes:
    """The converted file with int8 loop variables, the inputs ``bound`` made constant, and nothing unused."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
    for graph in model.subgraphs:
        graph.operators = list(graph.operators if graph.operators is not None else [])
        graph.tensors = list(graph.tensors)
    for graph in model.subgraphs:
        for operator in list(graph.operators):
            if code_of(model, operator) == OP.WHILE:
                _carry_int8(model, graph, operator)
    _bind_inputs(model, set(bound))
    for graph in model.subgraphs:
        snap_factors(model, graph)
        widen_softmaxes(model, graph)
    return pack(model, len(data))


def _replace(graph: Any, old: int, new: int) -> None:
    for op in graph.operators:
        op.inputs = np.where(np.asarray(op.inputs) == old, new, op.inputs).astype(np.int32)
    graph.outputs = np.where(np.asarray(graph.outputs) == old, new, graph.outputs).astype(np.int32)


def _rename_outputs(model: Any, graph: Any, old: int, new: int) -> None:
    """The signature follows: a loop's result is the graph's where a model ends in its recurrent layer."""
    for signature in model.signatureDefs or []:
        if model.subgraphs[signature.subgraphIndex] is graph:
            for entry in signature.outputs:
                entry.tensorIndex = new if entry.tensorIndex == old else entry.tensorIndex


def _as_int8(graph: Any, index: int, like: Any) -> None:
    graph.tensors[index].type = schema.TensorType.INT8
    graph.tensors[index].quantization = like


def _carry_int8(model: Any, outer: Any, loop: Any) -> None:
    body = model.subgraphs[loop.builtinOptions.bodySubgraphIndex]
    cond = model.subgraphs[loop.builtinOptions.condSubgraphIndex]
    for position in range(len(body.inputs)):
        entry, exit_ = int(body.inputs[position]), int(body.outputs[position])
        if body.tensors[entry].type != schema.TensorType.FLOAT32:
            continue
        readers = users_of(body, entry)
        writer = maker_of(body, exit_)
        start, result = int(loop.inputs[position]), int(loop.outputs[position])
        takers = users_of(outer, result)
        quantized = all(code_of(model, op) == OP.QUANTIZE for op in readers + takers) and readers
        if not quantized or writer is None or code_of(model, writer) != OP.DEQUANTIZE:
            continue
        source = int(writer.inputs[0])
        scale = scale_of(body, source)
        ends = [scale_of(body, int(op.outputs[0])) for op in readers]
        ends += [scale_of(outer, int(op.outputs[0])) for op in takers]
        if scale is None or any(end != scale for end in ends):
            continue  # not one scale throughout: leave it as it is, the audit will name it
        like = body.tensors[source].quantization
        initial = _int8_start(model, outer, start, like)
        if initial is None:
            continue
        for graph, index in ((body, entry), (cond, int(cond.inputs[position])), (outer, result)):
            _as_int8(graph, index, like)
        for graph, ops, index in ((body, readers, entry), (outer, takers, result)):
            for op in ops:
                graph.operators.remove(op)
                _replace(graph, int(op.outputs[0]), index)
                _rename_outputs(model, graph, int(op.outputs[0]), index)
        outputs = np.array(body.outputs)
        outputs[position] = source
        body.outputs = outputs
        if not users_of(body, exit_):
            body.operators.remove(writer)
        inputs = np.array(loop.inputs)
        inputs[position] = initial
        loop.inputs = inputs
        maker = maker_of(outer, start)
        if maker is not None and not users_of(outer, start) and start not in list(outer.outputs):
            outer.operators.remove(maker)


def _int8_start(model: Any, outer: Any, start: int, like: Any) -> int | None:
    """The tensor a loop variable starts from, in int8: what was dequantised, or a constant now quantised."""
    maker = maker_of(outer, start)
    scale = float(like.scale[0]), int(like.zeroPoint[0])
    if maker is not None:
        source = int(maker.inputs[0])
        same = code_of(model, maker) == OP.DEQUANTIZE and scale_of(outer, source) == scale
        return source if same else None
    tensor = outer.tensors[start]
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != schema.TensorType.FLOAT32:
        return None
    values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), np.float32)
    levels = np.clip(np.rint(values / scale[0]) + scale[1], -128, 127).astype(np.int8)
    constant = schema.TensorT()
    constant.name, constant.shape, constant.type = tensor.name, tensor.shape, schema.TensorType.INT8
    constant.quantization, constant.buffer = like, add_buffer(model, levels)
    outer.tensors.append(constant)
    return len(outer.tensors) - 1


def _bind_inputs(model: Any, names: set[str]) -> None:
    """Make the named inputs constants that hold zero, in int8 also behind a float border."""
    for signature in model.signatureDefs or []:
        graph = model.subgraphs[signature.subgraphIndex]
        for entry in [e for e in signature.inputs if e.name.decode() in names]:
            index = entry.tensorIndex
            for op in users_of(graph, index):
                if (
                    graph.tensors[index].type == schema.TensorType.FLOAT32
                    and code_of(model, op) == OP.QUANTIZE
                ):
                    _make_zero(model, graph, int(op.outputs[0]))
                    graph.operators.remove(op)
            _make_zero(model, graph, index)
            signature.inputs.remove(entry)
            graph.inputs = np.array([i for i in graph.inputs if i != index], np.int32)


def _make_zero(model: Any, graph: Any, index: int) -> None:
    tensor = graph.tensors[index]
    count, scale = int(np.prod(tensor.shape)), scale_of(graph, index)
    int8 = tensor.type == schema.TensorType.INT8 and scale is not None
    values = np.full(count, scale[1], np.int8) if int8 and scale else np.zeros(count, np.float32)
    tensor.buffer = add_buffer(model, values)
