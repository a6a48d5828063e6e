"""The float twin, annotated for tfmot and rebuilt with quantised recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from rnnedge_export.bidirectional import QuantBidirectional
from rnnedge_export.cells import cell_of
from rnnedge_export.channels import fit_channels
from rnnedge_export.concatenate import QuantConcatenate
from rnnedge_export.elementwise import HardSwish, QuantHardSwish, QuantMultiply, QuantRescaling
from rnnedge_export.frames import Fold, Unfold, bare
from rnnedge_export.recurrent import QuantRecurrent
from rnnedge_export.scheme import weight_quantizer

_api: Any = tfmot.quantization.keras
RECURRENT = {
    tf_keras.layers.SimpleRNN: "simple_rnn",
    tf_keras.layers.LSTM: "lstm",
    tf_keras.layers.GRU: "gru",
}


class RecurrentQuantizeConfig(tfmot.quantization.keras.QuantizeConfig):
    """tfmot's extension point: a recurrent layer's matrices go through tfmot's ``LastValueQuantizer``.

    The sites inside the cell are the layer's own, and its output is a state, quantised already.
    """

    def _matrices(self, layer: Any) -> list[tuple[QuantRecurrent, str]]:
        return [
            (direction, name)
            for direction in directions(layer)
            for name in direction.settings["weight_shapes"]
            if name.endswith("kernel")
        ]

    def get_weights_and_quantizers(self, layer: Any) -> list:
        return [(getattr(owner, name), weight_quantizer()) for owner, name in self._matrices(layer)]

    def set_quantize_weights(self, layer: Any, quantize_weights: list) -> None:
        for (owner, name), tensor in zip(self._matrices(layer), quantize_weights, strict=True):
            setattr(owner, name, tensor)

    def get_activations_and_quantizers(self, layer: Any) -> list:
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list) -> None:
        return None

    def get_output_quantizers(self, layer: Any) -> list:
        return []

    def get_config(self) -> dict[str, Any]:
        return {}


class KeepScaleConfig(RecurrentQuantizeConfig):
    """For what keeps the scale of its input: folding and unfolding frames, and AVERAGE_POOL_2D's int8 kernel."""

    def get_weights_and_quantizers(self, layer: Any) -> list:
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: list) -> None:
        return None


SCOPE = {
    cls.__name__: cls
    for cls in (
        QuantRecurrent,
        QuantBidirectional,
        QuantConcatenate,
        QuantHardSwish,
        QuantMultiply,
        QuantRescaling,
        Fold,
        Unfold,
        RecurrentQuantizeConfig,
        KeepScaleConfig,
    )
}


def directions(layer: Any) -> list[QuantRecurrent]:
    """The ``QuantRecurrent`` layers that ``layer`` is or holds (through tfmot's wrapper, too)."""
    layer = bare(layer)
    if isinstance(layer, QuantBidirectional):
        return [layer.forward, layer.backward]
    return [layer] if isinstance(layer, QuantRecurrent) else []


def recurrent_layers(model: tf_keras.Model) -> list[QuantRecurrent]:
    """All ``QuantRecurrent`` layers of a quantised model, in order."""
    return [direction for layer in model.layers for direction in directions(layer)]


@contextmanager
def tracing(model: tf_keras.Model, form: str) -> Iterator[None]:
    """Inside, graphs of ``model`` are traced with every time loop in ``form``: train, float, loop or unrolled."""
    layers = recurrent_layers(model)
    before = [layer.form for layer in layers]
    for layer in layers:
        layer.form = form
    try:
        yield
    finally:
        for layer, previous in zip(layers, before, strict=True):
            layer.form = previous


def quantization_model(twin: tf_keras.Model) -> tf_keras.Model:
    """The float twin with tfmot's quantisation around every layer and ours inside the recurrent ones.

    Weights are the twin's; ranges are still to be set (``scheme.observing``).
    """

    def annotate(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        if isinstance(layer, tf_keras.layers.Bidirectional) or type(layer) in RECURRENT:
            return _api.quantize_annotate_layer(_quantized_layer(layer), RecurrentQuantizeConfig())
        if isinstance(layer, tf_keras.layers.Concatenate):
            joined = QuantConcatenate(layer.axis, tied=_tied(layer), name=layer.name)
            return _api.quantize_annotate_layer(joined, RecurrentQuantizeConfig())
        if isinstance(layer, tf_keras.layers.Rescaling):
            rescaled = QuantRescaling(layer.scale, layer.offset, name=layer.name)
            return _api.quantize_annotate_layer(rescaled, RecurrentQuantizeConfig())
        if isinstance(layer, HardSwish):
            return _api.quantize_annotate_layer(QuantHardSwish(name=layer.name), RecurrentQuantizeConfig())
        if isinstance(layer, tf_keras.layers.Multiply):
            return _api.quantize_annotate_layer(QuantMultiply(name=layer.name), RecurrentQuantizeConfig())
        copy = type(layer).from_config(layer.get_config())
        if isinstance(layer, (tf_keras.layers.AveragePooling2D, Fold, Unfold)):
            return _api.quantize_annotate_layer(copy, KeepScaleConfig())
        return _api.quantize_annotate_layer(copy)

    with _api.quantize_scope(SCOPE):
        annotated = tf_keras.models.clone_model(twin, clone_function=annotate)
        copies = {}
        for source, target in zip(twin.layers, annotated.layers, strict=True):
            inner = getattr(target, "layer", target)  # tfmot's annotation around it
            copies[source.name] = inner
            if directions(inner):
                _copy_weights(source, inner)
            elif source.weights:
                inner.set_weights(source.get_weights())
        fit_channels(twin, copies)
        return _api.quantize_apply(annotated)


def _quantized_layer(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    if not isinstance(layer, tf_keras.layers.Bidirectional):
        return QuantRecurrent(**_settings(layer), name=layer.name)
    backward = {**_settings(layer.backward_layer), "time_order": True}
    return QuantBidirectional(_settings(layer.forward_layer), backward, layer.merge_mode, name=layer.name)


def _tied(layer: tf_keras.layers.Concatenate) -> bool:
    """Do all inputs of a Concatenate have one scale by themselves: are they states of cells with one fixed range?"""
    through = (tf_keras.layers.Dropout, tf_keras.layers.Reshape, tf_keras.layers.Flatten, Fold, Unfold)
    kinds = set()
    for source in layer._inbound_nodes[0].inbound_layers:
        while isinstance(source, through):
            source = source._inbound_nodes[0].inbound_layers
        if isinstance(source, tf_keras.layers.Bidirectional):
            source = source.forward_layer if source.merge_mode == "concat" else None
        bounded = isinstance(source, (tf_keras.layers.LSTM, tf_keras.layers.GRU))
        tanh = isinstance(source, tf_keras.layers.SimpleRNN) and source.get_config()["activation"] == "tanh"
        kinds.add("h" if bounded else "tanh" if tanh else None)
    return len(kinds) == 1 and None not in kinds


def _settings(layer: tf_keras.layers.Layer) -> dict[str, Any]:
    config = layer.get_config()
    settings = {
        "units": config["units"],
        "cell": RECURRENT[type(layer)],
        "activation": config["activation"],
        "reset_after": config.get("reset_after", True),
        **{key: config[key] for key in ("return_sequences", "go_backwards", "dropout", "recurrent_dropout")},
    }
    named = cell_of(settings).from_keras(layer.get_weights())
    return {**settings, "weight_shapes": {name: list(array.shape) for name, array in named.items()}}


def _copy_weights(source: tf_keras.layers.Layer, target: tf_keras.layers.Layer) -> None:
    both = isinstance(source, tf_keras.layers.Bidirectional)
    sources = [source.forward_layer, source.backward_layer] if both else [source]
    for layer, direction in zip(sources, directions(target), strict=True):
        named = direction.cell.from_keras([np.asarray(w) for w in layer.get_weights()])
        for name, array in named.items():
            getattr(direction, name).assign(array)
