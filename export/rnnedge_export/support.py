"""What can be quantised: the table of layers, and the refusal of anything else by name, type and place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import keras

from rnnedge_device.errors import InputError

_LINEAR = ("linear", "relu", "relu6", "softmax", "sigmoid", "tanh")


def refuse(argument: str, received: str, allowed: str) -> NoReturn:
    """One error that names the argument, the value and what is allowed."""
    raise InputError(f"{argument}: {received} cannot be quantised; {allowed}")


def _activation(layer: Any, attribute: str = "activation") -> str:
    function = getattr(layer, attribute, None)
    return getattr(function, "__name__", str(function))


def _needs(condition: bool, received: str, allowed: str) -> tuple[str, str] | None:
    return None if condition else (received, allowed)


def _activation_layer(layer: Any) -> tuple[str, str] | None:
    return None if _activation(layer) == HARD_SWISH else _dense(layer)


def _time_distributed(layer: Any) -> tuple[str, str] | None:
    inner = layer.layer
    functional = isinstance(inner, (keras.Sequential, keras.Model)) and hasattr(
        getattr(inner, "_functional", inner), "_nodes_by_depth"
    )
    known = functional or not isinstance(inner, keras.Model)
    return _needs(
        known, f"a {type(inner).__name__} inside", "wrap a layer, a Sequential or a Functional model"
    )


def _plain(layer: Any) -> tuple[str, str] | None:
    return None


def _dense(layer: Any) -> tuple[str, str] | None:
    name = _activation(layer)
    return _needs(name in _LINEAR, f"activation {name!r}", f"use one of {', '.join(_LINEAR)}")


def _convolution(layer: Any) -> tuple[str, str] | None:
    name = _activation(layer)
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "data_format 'channels_first'", "use channels_last"
    return _needs(
        name in ("linear", "relu"), f"activation {name!r}", "use 'relu' or a layer of its own behind it"
    )


def _batch_norm(layer: Any) -> tuple[str, str] | None:
    return _needs(
        layer.axis in (-1, 3), f"axis {layer.axis}", "normalise the last axis, right behind a convolution"
    )


def _relu(layer: Any) -> tuple[str, str] | None:
    plain = not float(layer.negative_slope) and not float(layer.threshold)
    known = layer.max_value is None or float(layer.max_value) == 6.0
    return _needs(plain and known, f"max_value={layer.max_value}", "use ReLU() or ReLU(6)")


def _recurrent(layer: Any) -> tuple[str, str] | None:
    activation = _activation(layer)
    if layer.return_state:
        return (
            "return_state=True",
            "the exported 'step' form hands states in and out by itself: drop return_state",
        )
    if layer.stateful:
        return "stateful=True", "the exported 'step' form carries state between calls: drop stateful"
    if isinstance(layer, keras.layers.SimpleRNN):
        return _needs(activation in ("tanh", "relu"), f"activation {activation!r}", "use 'tanh' or 'relu'")
    if activation != "tanh":
        return f"activation {activation!r}", "use 'tanh', whose int8 kernel has a fixed range"
    gate = _activation(layer, "recurrent_activation")
    return _needs(gate == "sigmoid", f"recurrent_activation {gate!r}", "use 'sigmoid'")


def _bidirectional(layer: Any) -> tuple[str, str] | None:
    if type(layer.forward_layer) not in RECURRENT or type(layer.backward_layer) not in RECURRENT:
        return f"a {type(layer.forward_layer).__name__} inside", "wrap SimpleRNN, LSTM or GRU"
    if layer.merge_mode not in ("concat", "sum", "mul", "ave"):
        return f"merge_mode {layer.merge_mode!r}", "use 'concat', 'sum', 'mul' or 'ave'"
    return _recurrent(layer.forward_layer) or _recurrent(layer.backward_layer)


_L = keras.layers
# Keras's own name of hard_swish.
HARD_SWISH = "hard_silu"
# Operations of a tensor and a number that Keras writes without a layer -> the Rescaling they are.
SCALAR: dict[str, Callable[[float], dict[str, float]]] = {
    "Add": lambda number: {"scale": 1.0, "offset": number},
    "Multiply": lambda number: {"scale": number},
}
RECURRENT = (_L.SimpleRNN, _L.LSTM, _L.GRU)
# Layer type -> a check of its settings: None, or what is wrong and what can be done.
SUPPORTED: dict[type, Callable[[Any], tuple[str, str] | None]] = {
    _L.SimpleRNN: _recurrent,
    _L.LSTM: _recurrent,
    _L.GRU: _recurrent,
    _L.Bidirectional: _bidirectional,
    _L.Conv2D: _convolution,
    _L.DepthwiseConv2D: _convolution,
    _L.BatchNormalization: _batch_norm,
    _L.Dense: _dense,
    _L.ReLU: _relu,
    _L.Activation: _activation_layer,
    _L.Softmax: _plain,
    **{
        cls: _plain
        for cls in (
            _L.Add,
            _L.AveragePooling2D,
            _L.Concatenate,
            _L.Dropout,
            _L.Flatten,
            _L.GlobalAveragePooling1D,
            _L.GlobalAveragePooling2D,
            _L.GlobalMaxPooling1D,
            _L.GlobalMaxPooling2D,
            _L.MaxPooling2D,
            _L.Multiply,
            _L.Permute,
            _L.Rescaling,
            _L.Reshape,
            _L.SpatialDropout1D,
            _L.SpatialDropout2D,
            _L.ZeroPadding2D,
        )
    },
}
# What can be done about the layers that people try most.
ADVICE = {
    "SeparableConv2D": "write it as DepthwiseConv2D followed by Conv2D(1)",
    "ConvLSTM2D": "use a Conv2D encoder per frame and an LSTM over its features",
    "LayerNormalization": "drop it, or use BatchNormalization behind a convolution",
    "Masking": "give every sequence the same length",
    "Embedding": "feed features instead of token ids",
    "MultiHeadAttention": "use GlobalAveragePooling1D or the last state instead",
    "StackedRNNCells": "stack layers with return_sequences=True",
    "RNN": "use SimpleRNN, LSTM or GRU",
}


def scalar_of(operation: Any, node: Any) -> dict[str, float] | None:
    """The settings of the Rescaling that ``x + 3.0`` or ``x * 0.5`` is, or None where ``operation`` is another."""
    if isinstance(operation, keras.layers.Layer) or type(operation).__name__ not in SCALAR:
        return None
    numbers = [a for a in node.arguments.args if isinstance(a, (int, float))]
    return SCALAR[type(operation).__name__](float(numbers[0])) if len(numbers) == 1 else None


def check_layer(layer: Any, shapes: list[tuple], place: str, shared: bool) -> None:
    """Refuse ``layer`` unless it can be quantised where it stands, on inputs of ``shapes`` (batch first).

    Raises:
        InputError: naming the layer, its type and its place, and what can be done.
    """
    kind = type(layer).__name__
    where = f"layer {place}{layer.name!r} ({kind})"
    check = _time_distributed if isinstance(layer, _L.TimeDistributed) else SUPPORTED.get(type(layer))
    if check is None:
        names = ", ".join(sorted(cls.__name__ for cls in SUPPORTED))
        if not isinstance(layer, keras.layers.Layer):
            refuse(
                "model",
                f"operation {place}{layer.name!r} ({kind})",
                "use a layer instead, such as keras.layers.Add",
            )
        refuse("model", where, ADVICE.get(kind, f"supported layers: {names}"))
    if shared:
        refuse("model", f"{where}, called more than once,", "give each call a layer of its own")
    defect = check(layer)
    if defect:
        refuse("model", f"{where} with {defect[0]}", defect[1])
    if isinstance(layer, (*RECURRENT, _L.Bidirectional)):
        if len(shapes) > 1:
            refuse(
                "model",
                f"{where} with initial_state",
                "start from zeros; the 'step' form takes states as inputs",
            )
        if shapes[0][1] is None:
            refuse(
                "model",
                f"{where} over a varying number of steps",
                "build the model with a fixed length, (T, F)",
            )
