"""The audit of a finished ``.tflite``: what it is made of, and whether it may be shipped.

A file fails if it holds a Flex or custom operator, or if an int8 model computes in float anywhere but at its border.
What is merely worth knowing (a runtime that lacks an operator version, roundings that may differ between machines) is
reported with its reason; that ai-edge-litert loads the file is seen when parity runs it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from rnnedge_device.errors import InputError
from rnnedge_export.cost import multiply_adds
from rnnedge_export.flatbuffer import Model, Operator, read_model
from rnnedge_export.roundings import NEAR, margin
from rnnedge_export.runtimes import TFLITE_RUNTIME_2_14

# Operators whose int8 kernels multiply accumulated integers by s_in s_other / s_out (a mean: by s_in / n s_out) and
# round to the nearest.
_PRODUCTS = {"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "BATCH_MATMUL", "MUL", "MEAN"}
_BORDER = {"QUANTIZE", "DEQUANTIZE"}


class AuditError(InputError):
    """A finished model that must not be shipped."""


@dataclass(frozen=True)
class Tie:
    """An operator whose results can come too near to a half for all machines to round them alike."""

    operator: str
    subgraph: int
    factor: float

    def __str__(self) -> str:
        return f"{self.operator} in subgraph {self.subgraph}: factor {self.factor!r}"


@dataclass(frozen=True)
class Audit:
    """What a ``.tflite`` file holds.

    Args:
        ops: how often each operator stands in the file.
        versions: the highest version of each.
        dtypes: how many operator outputs have each type.
        float_ops: operators that compute in float, with the reason why that is so.
        ties: see ``Tie``; empty means the file computes the same bits on x86 and ARM.
        size_bytes: of the file.
        macs: multiply-adds of one invocation, loops counted in full; of several signatures, the first's.
        runtimes: for each supported runtime, what keeps it from loading the file (empty: nothing).
        failures: why the file must not be shipped (empty: it may).
    """

    ops: dict[str, int]
    versions: dict[str, int]
    dtypes: dict[str, int]
    float_ops: dict[str, str]
    ties: list[Tie]
    size_bytes: int
    macs: int
    runtimes: dict[str, list[str]]
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {**asdict(self), "ties": [str(tie) for tie in self.ties], "passed": self.passed}


def audit(data: bytes, *, int8: bool = True, io: str = "int8", signature: str | None = None) -> Audit:
    """Audit a ``.tflite`` file.

    Args:
        signature: only what this one runs; by default all that the file holds.
        int8: the model is meant to compute in int8; else float operators are no failure.
        io: its border, ``int8`` or ``float32``: with the latter one QUANTIZE and DEQUANTIZE a tensor is expected.

    Raises:
        InputError: the bytes are no TFLite model, or have no such signature.
    """
    model = read_model(data)
    main = model.signature(signature).subgraph if signature or model.signatures else 0
    graphs = model.reached(main) if signature else set(range(len(model.subgraphs)))
    operators = [(index, op) for index, op in model.operators if index in graphs]
    versions: dict[str, int] = {}
    for _, op in operators:
        versions[op.name] = max(versions.get(op.name, 0), op.version)
    custom = sorted({op.name for _, op in operators if op.custom})
    floats = _float_ops(model, operators, io)
    inside = {name: why for name, why in floats.items() if not why.startswith("border")}
    failures = [f"operator {name} is custom or Flex: stock runtimes do not have it" for name in custom]
    if int8:
        failures += [f"{name} computes in float: {why}" for name, why in inside.items()]
    too_new = [
        f"{name} version {version}: it has up to {TFLITE_RUNTIME_2_14.get(name, 0)}"
        for name, version in sorted(versions.items())
        if name not in custom and version > TFLITE_RUNTIME_2_14.get(name, 0)
    ]
    return Audit(
        ops=dict(Counter(op.name for _, op in operators)),
        versions=versions,
        dtypes=dict(Counter(t.dtype for _, op in operators for t in op.outputs)),
        float_ops=floats,
        ties=ties(model, operators),
        size_bytes=len(data),
        macs=multiply_adds(model, main),
        runtimes={
            "ai-edge-litert": [f"custom operator {n}" for n in custom],
            "tflite-runtime 2.14": custom + too_new,
        },
        failures=failures,
    )


def _float_ops(model: Model, operators: list[tuple[int, Operator]], io: str) -> dict[str, str]:
    """Operators with a float tensor, and why each is there."""
    found: dict[str, str] = {}
    entries = {signature.subgraph for signature in model.signatures} or {0}
    for index, op in operators:
        tensors = [t for t in (*op.inputs, *op.outputs) if t is not None]
        if not any(t.dtype in ("float32", "float16") for t in tensors):
            continue
        graph = model.subgraphs[index]
        border = {t.index for t in (*graph.inputs, *graph.outputs)}
        at_border = any(t is not None and t.index in border for t in (*op.inputs, *op.outputs))
        if index in entries and op.name in _BORDER and at_border and io == "float32":
            found[op.name] = "border: float32 input or output was asked for"
        else:
            shape = "x".join(map(str, op.outputs[0].shape)) or "scalar"
            found[f"{op.name} [{shape}]"] = f"float tensors inside the graph (subgraph {index})"
    return found


def ties(model: Model, operators: list[tuple[int, Operator]] | None = None) -> list[Tie]:
    """Products whose int8 result can come so near to a half that machines may round it differently."""
    found = []
    checked: dict[tuple[float, int], bool] = {}
    for index, op in model.operators if operators is None else operators:
        if op.name not in _PRODUCTS or op.outputs[0].dtype != "int8":
            continue
        first, second = op.inputs[0], op.inputs[1]
        if first is None or second is None or not first.scales:
            continue
        limit = _largest_accumulator(op)
        for scale in [1 / _averaged(op)] if op.name == "MEAN" else second.scales:
            factor = first.scales[0] * scale / op.outputs[0].scales[0]
            if (factor, limit) not in checked:
                checked[factor, limit] = margin(factor, limit) > NEAR
            if not checked[factor, limit]:
                found.append(Tie(op.name, index, factor))
                break
    return found


def _averaged(op: Operator) -> int:
    """How many values a MEAN makes one of."""
    assert op.inputs[0] is not None
    return math.prod(op.inputs[0].shape) // math.prod(op.outputs[0].shape)


def _largest_accumulator(op: Operator) -> int:
    if op.name == "MUL":
        return 255 * 255
    if op.name == "MEAN":
        return 255 * _averaged(op)
    if op.name == "BATCH_MATMUL":
        assert op.inputs[0] is not None
        return 255 * 255 * op.inputs[0].shape[-1]
    weights = op.inputs[1]
    assert weights is not None
    per_output = math.prod(weights.shape[1:3] if op.name == "DEPTHWISE_CONV_2D" else weights.shape[1:])
    bias = op.inputs[2] if len(op.inputs) > 2 else None
    largest_bias = int(abs(bias.values().astype("int64")).max()) if bias is not None and bias.data else 0
    return per_output * 255 * 127 + largest_bias
