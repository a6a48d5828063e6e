"""Multiply-adds of a ``.tflite`` graph."""

from __future__ import annotations

import math

from rnnedge_export.flatbuffer import Model, Operator


def multiply_adds(model: Model, subgraph: int = 0) -> int:
    """Multiply-adds of one run of ``subgraph``, with the turns of its loops."""
    total = 0
    for op in model.subgraphs[subgraph].operators:
        if op.name == "WHILE":
            cond, body = op.subgraphs
            total += turns(model, cond) * multiply_adds(model, body)
        else:
            total += _of(op)
    return total


def turns(model: Model, cond: int) -> int:
    """How often a loop runs whose condition is ``counter < constant`` (1 where it is another)."""
    for op in model.subgraphs[cond].operators:
        bound = op.inputs[1] if op.name == "LESS" else None
        if bound is not None and bound.constant:
            return int(bound.values().reshape(-1)[0])
    return 1


def _of(op: Operator) -> int:
    if op.name not in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
        return 0
    if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        # Inputs 1-4 are the input matrices, 5-8 the recurrent ones; each serves every step.
        x = op.inputs[0]
        assert x is not None
        matrices = [t for t in op.inputs[1:9] if t is not None]
        return x.shape[1] * sum(math.prod(t.shape) for t in matrices)
    weights, out = op.inputs[1], op.outputs[0]
    assert weights is not None
    if op.name == "FULLY_CONNECTED":
        return math.prod(out.shape) * weights.shape[-1]
    per_output = math.prod(weights.shape[1:]) if op.name == "CONV_2D" else math.prod(weights.shape[1:3])
    return math.prod(out.shape) * per_output
