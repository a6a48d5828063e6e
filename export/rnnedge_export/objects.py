"""Questions that rewriting asks of a ``.tflite`` file's flatbuffer object model."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

OP = schema.BuiltinOperator


def code_of(model: Any, operator: Any) -> int:
    """The builtin code of an operator."""
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def scale_of(graph: Any, index: int) -> tuple[float, int] | None:
    """Scale and zero point of a tensor that has one of each."""
    quantization = graph.tensors[index].quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        return None
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])


def users_of(graph: Any, index: int) -> list:
    """The operators that read a tensor."""
    return [op for op in graph.operators if index in list(op.inputs)]


def maker_of(graph: Any, index: int) -> Any:
    """The operator that writes a tensor, or None."""
    return next((op for op in graph.operators if index in list(op.outputs)), None)


def constant_of(model: Any, graph: Any, index: int) -> Any:
    """The bytes of a constant tensor, or None."""
    data = model.buffers[graph.tensors[index].buffer].data
    return None if data is None else np.asarray(data, np.uint8).tobytes()


def add_buffer(model: Any, values: np.ndarray) -> int:
    """The buffer with these bytes: an unrolled graph asks for the same ones at each step."""
    content = values.tobytes()
    for index, buffer in enumerate(model.buffers):
        if buffer.data is not None and len(buffer.data) == len(content) and bytes(buffer.data) == content:
            return index
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1
