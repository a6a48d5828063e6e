"""A ``.tflite`` file read as plain objects: subgraphs, operators, tensors, signatures."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from rnnedge_device.errors import InputError

_TYPES = {value: name.lower() for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
_OPS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph. ``scales`` and ``zero_points`` are empty where it is not quantised."""

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant: bool
    data: bytes

    def values(self) -> np.ndarray:
        """The values of a constant tensor, in its own dtype."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Operator:
    """One operator: its builtin name, version and tensors (``None`` for an optional input left out)."""

    name: str
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    subgraphs: tuple[int, ...]
    custom: bool


@dataclass(frozen=True)
class Subgraph:
    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Signature:
    """A named entry: its subgraph, and its tensors by name."""

    key: str
    subgraph: int
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


@dataclass(frozen=True)
class Model:
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    size: int

    @functools.cached_property
    def operators(self) -> list[tuple[int, Operator]]:
        """Every operator with the index of its subgraph."""
        return [(i, op) for i, graph in enumerate(self.subgraphs) for op in graph.operators]

    def signature(self, key: str | None = None) -> Signature:
        """The signature of that name, or the first.

        Raises:
            InputError: the file has none such.
        """
        for signature in self.signatures:
            if key in (None, signature.key):
                return signature
        have = ", ".join(signature.key for signature in self.signatures) or "none"
        raise InputError(f"signature: {key!r}; the file has {have}")

    def reached(self, subgraph: int) -> set[int]:
        """Indices of the subgraphs that a run of ``subgraph`` goes through, its loops' conditions and bodies too."""
        found = {subgraph}
        for op in self.subgraphs[subgraph].operators:
            found.update(*(self.reached(branch) for branch in op.subgraphs))
        return found


def read_model(data: bytes) -> Model:
    """Parse a ``.tflite`` file.

    Raises:
        InputError: the bytes are no TFLite model.
    """
    if data[4:8] != b"TFL3":
        raise InputError(f"model: {len(data)} bytes without the TFL3 mark; expected a .tflite file")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
        graphs = tuple(_subgraph(graph, model) for graph in model.subgraphs)
        return Model(graphs, tuple(_signature(s, graphs) for s in model.signatureDefs or []), len(data))
    except InputError:
        raise
    except Exception as error:  # the generated reader trusts its bytes: a fault of theirs can be any error
        raise InputError(f"model: the .tflite file is damaged ({type(error).__name__}: {error})") from None


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _subgraph(graph: schema.SubGraphT, model: schema.ModelT) -> Subgraph:
    tensors = tuple(_tensor(i, t, model) for i, t in enumerate(graph.tensors))
    operators = tuple(
        _operator(op, model, tensors) for op in (graph.operators if graph.operators is not None else [])
    )
    return Subgraph(
        _text(graph.name),
        tensors,
        tuple(tensors[i] for i in graph.inputs),
        tuple(tensors[i] for i in graph.outputs),
        operators,
    )


def _tensor(index: int, tensor: schema.TensorT, model: schema.ModelT) -> Tensor:
    quantization = tensor.quantization
    scales = quantization.scale if quantization is not None and quantization.scale is not None else []
    zeros = quantization.zeroPoint if quantization is not None and quantization.zeroPoint is not None else []
    buffer = model.buffers[tensor.buffer].data if tensor.buffer else None
    return Tensor(
        index,
        _text(tensor.name),
        _TYPES[tensor.type],
        tuple(int(n) for n in (tensor.shape if tensor.shape is not None else [])),
        tuple(float(s) for s in scales),
        tuple(int(z) for z in zeros),
        buffer is not None,
        bytes(buffer) if buffer is not None else b"",
    )


def _operator(op: schema.OperatorT, model: schema.ModelT, tensors: tuple[Tensor, ...]) -> Operator:
    code = model.operatorCodes[op.opcodeIndex]
    # Models made before builtin codes passed 127 hold them in the deprecated field.
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    custom = builtin == schema.BuiltinOperator.CUSTOM
    options = op.builtinOptions
    branches = [
        getattr(options, name)
        for name in ("condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex")
        if hasattr(options, name)
    ]
    return Operator(
        _text(code.customCode) if custom else _OPS[builtin],
        code.version,
        tuple(tensors[i] if i >= 0 else None for i in (op.inputs if op.inputs is not None else [])),
        tuple(tensors[i] for i in (op.outputs if op.outputs is not None else [])),
        tuple(branches),
        custom,
    )


def _signature(signature: schema.SignatureDefT, graphs: tuple[Subgraph, ...]) -> Signature:
    tensors = graphs[signature.subgraphIndex].tensors
    return Signature(
        _text(signature.signatureKey),
        signature.subgraphIndex,
        {_text(m.name): tensors[m.tensorIndex] for m in signature.inputs or []},
        {_text(m.name): tensors[m.tensorIndex] for m in signature.outputs or []},
    )
