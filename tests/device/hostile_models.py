"""Real `.tflite` files that a runtime takes and should not have: they crash it, never end, or answer wrongly."""

import copy
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    """The model after `change(model)`, on the schema's own objects."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
    change(model)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def crashing(data: bytes) -> bytes:
    """Operators without inputs: LiteRT 2.3 dies of SIGSEGV while it prepares them."""

    def change(model: Any) -> None:
        for graph in model.subgraphs:
            for operator in graph.operators:
                operator.inputs = np.full(len(operator.inputs), -1, np.int32)

    return changed(data, change)


def endless(data: bytes) -> bytes:
    """The tiny model's loop counts t * 1 in place of t + 1."""
    return changed(data, lambda model: _recode(model, "ADD", "MUL"))


def wrong(data: bytes) -> bytes:
    """The tiny model with sigmoids where it had hyperbolic tangents: it loads, and answers something else."""
    return changed(data, lambda model: _recode(model, "TANH", "LOGISTIC"))


def slow(data: bytes, times: int) -> bytes:
    """A float model with the same outputs, bit for bit, that computes `times` arc tangents of its input beside."""

    def change(model: Any) -> None:
        code = schema.OperatorCodeT(
            builtinCode=schema.BuiltinOperator.ATAN2, deprecatedBuiltinCode=127, version=1
        )
        model.operatorCodes.append(code)
        for graph in model.subgraphs:
            source = next(index for index in graph.inputs if b"x" in graph.tensors[index].name)
            result = copy.copy(graph.tensors[source])
            result.name, result.buffer = b"unused", 0
            graph.tensors.append(result)
            operator = schema.OperatorT(
                opcodeIndex=len(model.operatorCodes) - 1,
                inputs=np.array([source, source], np.int32),
                outputs=np.array([len(graph.tensors) - 1], np.int32),
            )
            graph.operators = [*graph.operators, *[operator] * times]

    return changed(data, change)


def _recode(model: Any, old: str, new: str) -> None:
    before, after = (getattr(schema.BuiltinOperator, name) for name in (old, new))
    for code in model.operatorCodes:
        if code.builtinCode == before:
            code.builtinCode, code.deprecatedBuiltinCode = after, min(after, 127)
