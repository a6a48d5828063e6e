"""SOFTMAX in int16 between its int8 neighbours: a kernel that computes the same bits everywhere.

TFLite has two int8 kernels: x86's looks exponentials up in float32, aarch64's in 16 bits, and their results differ by
1 LSB now and then. For int16 there is one, all in integers. Energies are shift-invariant, so that a CAST brings them
there without their zero point; a QUANTIZE brings the result back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from rnnedge_export.objects import OP, code_of, scale_of

# What the kernel demands of its result.
_RESULT_SCALE = 2.0**-15


def widen_softmaxes(model: Any, graph: Any) -> None:
    """Let every int8 SOFTMAX of ``graph``, a subgraph of the flatbuffer object model, compute in int16."""
    for op in [op for op in graph.operators if code_of(model, op) == OP.SOFTMAX]:
        x, y = int(op.inputs[0]), int(op.outputs[0])
        scale = scale_of(graph, x)
        if scale is None or graph.tensors[x].type != schema.TensorType.INT8:
            continue
        wide, result = (_int16(graph, x, scale[0]), _int16(graph, y, _RESULT_SCALE))
        kinds = schema.CastOptionsT()
        kinds.inDataType, kinds.outDataType = schema.TensorType.INT8, schema.TensorType.INT16
        op.opcodeIndex = _code(model, OP.SOFTMAX, 3)
        op.inputs, op.outputs = np.array([wide], np.int32), np.array([result], np.int32)
        at = graph.operators.index(op)
        graph.operators[at : at + 1] = [
            _operator(_code(model, OP.CAST, 1), x, wide, schema.BuiltinOptions.CastOptions, kinds),
            op,
            _operator(
                _code(model, OP.QUANTIZE, 2),
                result,
                y,
                schema.BuiltinOptions.QuantizeOptions,
                schema.QuantizeOptionsT(),
            ),
        ]


def _int16(graph: Any, like: int, scale: float) -> int:
    """A new tensor of the shape of another; its index."""
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer = graph.tensors[like].shape, schema.TensorType.INT16, 0
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([0], np.int64)
    tensor.quantization.quantizedDimension = 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(code: int, x: int, y: int, kind: int, options: Any) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = np.array([x], np.int32), np.array([y], np.int32)
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator


def _code(model: Any, builtin: int, version: int) -> int:
    """The index of an operator code in that version, which is added if need be."""
    for index, code in enumerate(model.operatorCodes):
        if (max(code.builtinCode, code.deprecatedBuiltinCode), code.version) == (builtin, version):
            return index
    code = schema.OperatorCodeT()
    # Codes below 128 are in the older field as well.
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
