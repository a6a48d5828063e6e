"""Several converted files as one, a signature each: equal constants, such as the weights, lie in it once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from rnnedge_export.packing import pack

# Where operators name other subgraphs: WHILE, IF, CALL_ONCE.
_BRANCHES = (
    "condSubgraphIndex",
    "bodySubgraphIndex",
    "thenSubgraphIndex",
    "elseSubgraphIndex",
    "initSubgraphIndex",
)


def merge(files: Mapping[str, bytes]) -> bytes:
    """One ``.tflite`` with a signature for each of ``files``, named by its key.

    Args:
        files: ``{signature: .tflite}``, each with one signature under any name.
    """
    merged: Any = None
    for name, data in files.items():
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
        (signature,) = model.signatureDefs
        signature.signatureKey = name
        # The converter calls the first subgraph of every file main; names of subgraphs must differ.
        for index, graph in enumerate(model.subgraphs):
            graph.name = name if index == signature.subgraphIndex else f"{name}_{index}"
        merged = model if merged is None else _append(merged, model)
    _share_buffers(merged)
    _share_codes(merged)
    return pack(merged, sum(len(data) for data in files.values()))


def _append(model: Any, other: Any) -> Any:
    buffers, codes, graphs = len(model.buffers), len(model.operatorCodes), len(model.subgraphs)
    for graph in other.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer += buffers
        for op in graph.operators if graph.operators is not None else []:
            op.opcodeIndex += codes
            for branch in _BRANCHES:
                if hasattr(op.builtinOptions, branch):
                    setattr(op.builtinOptions, branch, getattr(op.builtinOptions, branch) + graphs)
    for signature in other.signatureDefs:
        signature.subgraphIndex += graphs
    model.buffers += other.buffers
    model.operatorCodes += other.operatorCodes
    model.subgraphs += other.subgraphs
    model.signatureDefs += other.signatureDefs
    return model


def _share_buffers(model: Any) -> None:
    """Tensors with equal constants name the first buffer that holds them; ``pack`` drops the rest."""
    first: dict[bytes, int] = {}
    same = [
        first.setdefault(bytes(buffer.data) if buffer.data is not None else b"", index)
        for index, buffer in enumerate(model.buffers)
    ]
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = same[tensor.buffer]


def _share_codes(model: Any) -> None:
    first: dict[tuple, int] = {}
    same = [
        first.setdefault((code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version), index)
        for index, code in enumerate(model.operatorCodes)
    ]
    for graph in model.subgraphs:
        for op in graph.operators if graph.operators is not None else []:
            op.opcodeIndex = same[op.opcodeIndex]
