"""A graph of ONNX operators under construction: values by name, constants beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8


class OnnxGraph:
    """Nodes are added in the order in which they run; each gives its output's name to the next."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}
        self._count = 0

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        """An array that the file holds; the value's name."""
        name = f"constant_{len(self._constants)}"
        self._constants[name] = np.ascontiguousarray(array, dtype)
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        return self.several(operator, 1, *inputs, **attributes)[0]

    def several(self, operator: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """A node with a few outputs."""
        names = [f"value_{self._count + index}" for index in range(outputs)]
        self._count += outputs
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def dense(self, x: str, kernel: np.ndarray, bias: np.ndarray | None = None) -> str:
        """``x [..., F]`` times ``kernel [F, G]``, with its bias."""
        product = self.add("MatMul", x, self.constant(kernel))
        return product if bias is None else self.add("Add", product, self.constant(bias))

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """The same values in another shape."""
        return self.add("Reshape", x, self.constant(shape, np.int64))

    def split(self, x: str, sizes: Sequence[int]) -> list[str]:
        """Parts of these sizes along the last axis."""
        return self.several("Split", len(sizes), x, self.constant(sizes, np.int64), axis=-1)

    def clip(self, x: str, low: float, high: float) -> str:
        """``x`` within bounds."""
        return self.add("Clip", x, self.constant(low), self.constant(high))

    def finish(
        self, inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[str, tuple[int, ...]]]
    ) -> onnx.ModelProto:
        """The model.

        Args:
            inputs: shapes by name; ``token`` is int32, all others are float32.
            outputs: by name: the value and its shape.
        """
        # No Identity at the end: each is a copy.
        called = {value: name for name, (value, _) in outputs.items()}
        for node in self._nodes:
            for ends in (node.input, node.output):
                ends[:] = [called.get(value, value) for value in ends]
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [_info(name, shape) for name, shape in inputs.items()],
            [_info(name, shape) for name, (_, shape) in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model


def _info(name: str, shape: tuple[int, ...]) -> Any:
    kind = TensorProto.INT32 if name == "token" else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, shape)
