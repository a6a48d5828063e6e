"""A Keras 3 model rebuilt in tf_keras, layer by layer: tfmot knows no other Keras.

The twin has the same layers, names and weights, but is flat: nested models are inlined, and ``TimeDistributed`` becomes
its layers between a ``Fold`` and an ``Unfold``. ``rnnedge_export.support`` has said before that each layer can be
quantised; here it is only rebuilt.
"""

from __future__ import annotations

import inspect
from itertools import chain, count
from typing import Any

import keras
import numpy as np
import tf_keras

from rnnedge_export.elementwise import HardSwish
from rnnedge_export.frames import Fold, Unfold
from rnnedge_export.support import HARD_SWISH, check_layer, refuse, scalar_of

# Keys of a Keras 3 configuration that tf_keras does not know or that are void once weights are set.
DROPPED = {"quantization_config", "registered_name", "build_config", "module", "optional", "renorm"}


def build_twin(model: keras.Model) -> tf_keras.Model:
    """``model`` in tf_keras, with the same weights.

    Raises:
        InputError: a layer or operation that cannot be quantised, by name, type and place.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        counts = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        refuse("model", f"one with {counts}", "build it with one of each")
    tensors: dict[int, Any] = {}
    inputs = []
    for tensor in model.inputs:
        if any(size is None for size in tensor.shape[1:]):
            refuse(
                "model",
                f"an input of shape {tuple(tensor.shape)}",
                "fixed sizes but for the batch (None first)",
            )
        twin_input = tf_keras.Input(tuple(tensor.shape[1:]), name=tensor.name.split(":")[0], dtype="float32")
        tensors[id(tensor)] = twin_input
        inputs.append(twin_input)
    _Builder().replay(model, tensors, place="")
    return tf_keras.Model(inputs, [tensors[id(t)] for t in model.outputs], name=model.name)


class _Builder:
    """Calls a twin of each operation of a model in order."""

    def __init__(self) -> None:
        self.done: set[int] = set()
        self.names: set[str] = set()

    def replay(self, model: keras.Model, tensors: dict[int, Any], place: str) -> None:
        """``tensors`` maps Keras 3 tensors to the twin's; ``place`` is the path of ``model`` in its own."""
        graph = _functional(model)
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                operation = node.operation
                if isinstance(operation, keras.layers.InputLayer):
                    continue
                arguments = [tensors[id(t)] for t in node.input_tensors]
                shapes = [tuple(t.shape) for t in node.input_tensors]
                if isinstance(operation, keras.layers.TimeDistributed):
                    outputs = [self._per_frame(operation, arguments[0], shapes[0], place)]
                elif settings := scalar_of(operation, node):
                    name = self._name(operation.name, place)
                    outputs = [
                        tf_keras.layers.Rescaling(**{"offset": 0.0, **settings}, name=name)(arguments[0])
                    ]
                else:
                    outputs = self._call(operation, arguments, shapes, place)
                for tensor, value in zip(node.outputs, outputs, strict=True):
                    tensors[id(tensor)] = value

    def _call(self, operation: Any, arguments: list, shapes: list[tuple], place: str) -> list:
        if isinstance(operation, keras.Model):
            inner = _functional(operation)
            nested = {id(t): a for t, a in zip(inner.inputs, arguments, strict=True)}
            self.replay(operation, nested, f"{place}{operation.name}/")
            return [nested[id(t)] for t in inner.outputs]
        self._check(operation, shapes, place)
        twin = _twin_layer(operation, self._name(operation.name, place))
        result = twin(arguments if len(arguments) > 1 else arguments[0])
        twin.set_weights([np.asarray(w) for w in operation.get_weights()])
        return [result]

    def _check(self, operation: Any, shapes: list[tuple], place: str) -> None:
        check_layer(operation, shapes, place, shared=id(operation) in self.done)
        self.done.add(id(operation))

    def _per_frame(self, layer: Any, value: Any, shape: tuple, place: str) -> Any:
        """A ``TimeDistributed`` layer or model: its layers, on frames folded into the batch."""
        self._check(layer, [shape], place)
        folded = Fold(name=self._name(f"{layer.name}_fold", place))(value)
        (result,) = self._call(layer.layer, [folded], [(None, *shape[2:])], f"{place}{layer.name}/")
        return Unfold(shape[1], name=self._name(f"{layer.name}_unfold", place))(result)

    def _name(self, name: str, place: str) -> str:
        """``name``, or with its place in front or a number behind where another layer has that name already."""
        placed = (place + name).replace("/", "_")
        free = (n for n in chain((name, placed), (f"{placed}_{i}" for i in count(1))) if n not in self.names)
        unique = next(free)
        self.names.add(unique)
        return unique


def _functional(model: keras.Model) -> keras.Model:
    return model._functional if isinstance(model, keras.Sequential) else model


def _twin_layer(layer: keras.layers.Layer, name: str) -> tf_keras.layers.Layer:
    if getattr(getattr(layer, "activation", None), "__name__", "") == HARD_SWISH:
        return HardSwish(name=name)
    cls = getattr(tf_keras.layers, type(layer).__name__)
    config = {**_plain(layer.get_config()), "name": name}
    # Mixed precision is a matter of training: the twin computes in float32.
    config["dtype"] = "float32"
    if isinstance(layer, keras.layers.Bidirectional):
        inner = {key: config[key] for key in ("layer", "backward_layer") if config.get(key)}
        return cls.from_config({"name": config["name"], "merge_mode": config["merge_mode"], **inner})
    known = set(inspect.signature(cls.__init__).parameters) | {"name"}
    return cls.from_config({key: value for key, value in config.items() if key in known})


def _plain(config: Any) -> Any:
    """A Keras 3 configuration with its ``{module, class_name, config}`` wrappers and initialisers taken away."""
    if isinstance(config, (list, tuple)):
        return [_plain(value) for value in config]
    if not isinstance(config, dict):
        return config
    if "class_name" in config and str(config.get("module", "")).startswith("keras"):
        if config["class_name"].endswith("DTypePolicy"):
            return "float32"
        return {"class_name": config["class_name"], "config": _plain(config["config"])}
    return {
        key: _plain(value)
        for key, value in config.items()
        if key not in DROPPED and not key.endswith(("_initializer", "_regularizer", "_constraint"))
    }


def twin_error(model: keras.Model, twin: tf_keras.Model, x: np.ndarray) -> float:
    """The largest absolute difference between the outputs of ``model`` and of its ``twin`` on ``x [N, ...]``."""
    ours = np.asarray(keras.ops.convert_to_numpy(model(x, training=False)), np.float32)
    return float(np.abs(ours - twin(x, training=False).numpy()).max())
