"""Scales moved by some millionths, so that every product's rescaling factor is one that all machines round alike.

* A product with a constant, such as a matrix: the constant's scale gives way, and its bias follows.
* A product of two activations, and a mean, have no constant: there the scale of the result gives way, and with it
  that of all tensors which take the result's integers over. A mean's factor is ``s_in / (n s_out)``.

Which factors those are says ``roundings.py``.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from rnnedge_export.objects import OP, add_buffer, code_of, constant_of, scale_of, users_of
from rnnedge_export.roundings import NEAR, margin, snapped

_WITH_CONSTANT = (OP.FULLY_CONNECTED, OP.CONV_2D, OP.DEPTHWISE_CONV_2D, OP.MUL)
# Operators that hand integers on as they are, and those that read them with whatever scale they have.
_CARRIERS = (
    OP.RESHAPE,
    OP.SQUEEZE,
    OP.EXPAND_DIMS,
    OP.TRANSPOSE,
    OP.SLICE,
    OP.STRIDED_SLICE,
    OP.SPLIT,
    OP.PAD,
)
_READERS = (
    *_WITH_CONSTANT,
    *(
        OP.ADD,
        OP.SUB,
        OP.MEAN,
        OP.BATCH_MATMUL,
        OP.HARD_SWISH,
        OP.LOGISTIC,
        OP.TANH,
        OP.SOFTMAX,
        OP.QUANTIZE,
        OP.DEQUANTIZE,
    ),
)

# A scale that moves by more than this belongs to a channel that hardly moves its output: its integers move along.
_MOVED = 1e-3


def snap_factors(model: Any, graph: Any) -> None:
    """Snap the factor of each product of ``graph``, a subgraph of the flatbuffer object model, in order."""
    done: dict[tuple, tuple[int, int]] = {}
    for op in graph.operators:
        code, out = code_of(model, op), int(op.outputs[0])
        result = scale_of(graph, out)
        if result is None or graph.tensors[out].type != schema.TensorType.INT8:
            continue
        if code == OP.MEAN:
            count = math.prod(graph.tensors[op.inputs[0]].shape) // math.prod(graph.tensors[out].shape)
            x = scale_of(graph, int(op.inputs[0]))
            if x is not None:
                _snap_result(model, graph, out, x[0] / count, 255 * count)
        elif code == OP.BATCH_MATMUL:
            a, b = (scale_of(graph, int(index)) for index in op.inputs)
            if a is not None and b is not None:
                terms = int(graph.tensors[op.inputs[0]].shape[-1])
                _snap_result(model, graph, out, a[0] * b[0], terms * 255 * 255)
        elif code in _WITH_CONSTANT:
            # Either operand of a MUL may be the constant.
            constants = [k for k in (1, 0) if constant_of(model, graph, int(op.inputs[k])) is not None]
            if constants:
                _snap_constant(model, graph, op, constants[0], result[0], done)
            elif code == OP.MUL:
                a, b = (scale_of(graph, int(index)) for index in op.inputs)
                if a is not None and b is not None:
                    _snap_result(model, graph, out, a[0] * b[0], 255 * 255)


def _snap_constant(model: Any, graph: Any, op: Any, at: int, out: float, done: dict) -> None:
    inputs = np.array(op.inputs)
    x = scale_of(graph, int(inputs[1 - at]))
    if x is None or graph.tensors[inputs[at]].quantization is None:
        return
    bias = int(inputs[2]) if len(inputs) > 2 else -1
    key = (int(inputs[at]), bias, x[0], out)
    if key not in done:
        done[key] = _snapped_constants(model, graph, int(inputs[at]), bias, x[0], out)
    inputs[at] = done[key][0]
    if bias >= 0:
        inputs[2] = done[key][1]
    op.inputs = inputs


def _snapped_constants(
    model: Any, graph: Any, matrix: int, bias: int, x: float, out: float
) -> tuple[int, int]:
    """Copies of a constant and its bias, with scales for which the rescaling factors are snapped."""
    tensor = copy.copy(graph.tensors[matrix])
    tensor.quantization = copy.copy(tensor.quantization)
    before = np.asarray(tensor.quantization.scale, np.float64)
    after = np.array([snapped(x * scale / out) * out / x for scale in before])
    tensor.quantization.scale = after.astype(np.float32)
    if np.abs(after / before - 1).max() > _MOVED:
        tensor.buffer = add_buffer(model, _requantised(model, graph, matrix, before / after))
    graph.tensors.append(tensor)
    index = len(graph.tensors) - 1
    if bias < 0:
        return index, -1
    sums = copy.copy(graph.tensors[bias])
    data = constant_of(model, graph, bias)
    if data is not None:
        sums.quantization = copy.copy(sums.quantization)
        sums.quantization.scale = (after * x).astype(np.float32)
        values = np.frombuffer(data, np.int32)
        sums.buffer = add_buffer(model, np.rint(values * (before / after)).astype(np.int32))
    graph.tensors.append(sums)
    return index, len(graph.tensors) - 1


def _requantised(model: Any, graph: Any, matrix: int, ratio: np.ndarray) -> np.ndarray:
    """The integers of a constant in units that are ``1 / ratio`` as large, a unit a channel or one for all."""
    tensor = graph.tensors[matrix]
    values = np.frombuffer(constant_of(model, graph, matrix), np.int8).reshape(tensor.shape)
    axes = np.ones(values.ndim, int)
    axes[tensor.quantization.quantizedDimension] = -1
    return np.rint(values * ratio.reshape(axes if len(ratio) > 1 else 1)).astype(np.int8)


def _snap_result(model: Any, graph: Any, out: int, numerator: float, limit: int) -> None:
    """Move the scale of tensor ``out`` so that ``numerator / scale`` is snapped, unless it rounds alike as it is."""
    scale = scale_of(graph, out)
    assert scale is not None
    factor = numerator / scale[0]
    carrying = _same_integers(model, graph, out)
    if carrying is None or margin(factor, limit) > NEAR:
        return
    for index in carrying:
        quantization = copy.copy(graph.tensors[index].quantization)
        quantization.scale = np.array([numerator / snapped(factor)], np.float32)
        graph.tensors[index].quantization = quantization


def _same_integers(model: Any, graph: Any, index: int) -> set[int] | None:
    """The tensors that hold integers of tensor ``index``; None where one of its readers must have its scale."""
    found = {index}
    for op in users_of(graph, index):
        code = code_of(model, op)
        if code in _CARRIERS:
            for out in op.outputs:
                further = _same_integers(model, graph, int(out))
                if further is None:
                    return None
                found |= further
        elif code not in _READERS:
            return None
    return None if index in list(graph.outputs) else found
