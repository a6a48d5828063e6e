"""A flat tf_keras encoder as ONNX operators: channels first inside, channels last at the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from benchmarks.captions.onnx_graph import OnnxGraph
from rnnedge_device.errors import InputError
from rnnedge_export.elementwise import HardSwish
from rnnedge_export.frames import walk


def add_encoder(graph: OnnxGraph, twin: tf_keras.Model, x: str) -> str:
    """Add the layers of ``twin`` to a graph, from pixels ``x [1, h, w, c]`` to features ``[1, ..., E]``.

    Normalisation stays a node of its own: ONNX Runtime folds it into the convolution before it.

    Raises:
        InputError: a layer that has no ONNX operators here.
    """
    return walk(
        twin, graph.add("Transpose", x, perm=(0, 3, 1, 2)), lambda layer, xs: _layer(graph, layer, xs)
    )


def _layer(graph: OnnxGraph, layer: Any, xs: list[str]) -> str:
    match layer:
        case tf_keras.layers.DepthwiseConv2D():  # a Conv2D, too, so it comes first
            kernel = layer.depthwise_kernel.numpy()  # [rows, columns, C, multiplier]
            weights = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
            return _convolution(graph, layer, xs[0], weights, group=kernel.shape[2])
        case tf_keras.layers.Conv2D(groups=1):
            return _convolution(graph, layer, xs[0], layer.kernel.numpy().transpose(3, 2, 0, 1), group=1)
        case tf_keras.layers.BatchNormalization():
            return _normalisation(graph, layer, xs[0])
        case tf_keras.layers.ReLU():
            return _relu(graph, layer, xs[0])
        case tf_keras.layers.Activation():
            return _activated(graph, layer, xs[0])
        case HardSwish():
            return graph.add("HardSwish", xs[0])
        case tf_keras.layers.Rescaling():
            scaled = graph.add("Mul", xs[0], graph.constant(layer.scale))
            return graph.add("Add", scaled, graph.constant(layer.offset))
        case tf_keras.layers.Add() | tf_keras.layers.Multiply():
            total = xs[0]
            for x in xs[1:]:
                total = graph.add("Add" if isinstance(layer, tf_keras.layers.Add) else "Mul", total, x)
            return total
        case tf_keras.layers.ZeroPadding2D():
            (top, bottom), (left, right) = layer.padding
            sides = graph.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
            return graph.add("Pad", xs[0], sides, graph.constant(0.0))
        case tf_keras.layers.MaxPooling2D():
            size, strides = layer.pool_size, layer.strides
            pads = pads_of(layer.padding, layer.input_shape[1:3], size, strides)
            return graph.add("MaxPool", xs[0], kernel_shape=size, strides=strides, pads=pads)
        case tf_keras.layers.GlobalAveragePooling2D():
            pooled = graph.add("GlobalAveragePool", xs[0])
            return pooled if layer.keepdims else graph.reshape(pooled, (1, layer.output_shape[-1]))
        case tf_keras.layers.Reshape() | tf_keras.layers.Flatten():
            channels_last = len(layer.input_shape) == 4
            x = graph.add("Transpose", xs[0], perm=(0, 2, 3, 1)) if channels_last else xs[0]
            if len(layer.output_shape) == 4:
                raise InputError(f"layer {layer.name!r}: a Reshape to a grid has no ONNX operators here")
            return graph.reshape(x, (1, *layer.output_shape[1:]))
    raise InputError(f"layer {layer.name!r}: a {type(layer).__name__} has no ONNX operators here")


def _convolution(graph: OnnxGraph, layer: Any, x: str, weights: np.ndarray, group: int) -> str:
    inputs = [x, graph.constant(weights)]
    if layer.use_bias:
        inputs.append(graph.constant(layer.bias.numpy()))
    sides = layer.kernel_size, layer.strides, layer.dilation_rate
    convolved = graph.add(
        "Conv",
        *inputs,
        group=group,
        kernel_shape=sides[0],
        strides=sides[1],
        dilations=sides[2],
        pads=pads_of(layer.padding, layer.input_shape[1:3], *sides),
    )
    return _activated(graph, layer, convolved)


def _normalisation(graph: OnnxGraph, layer: Any, x: str) -> str:
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    gain = layer.gamma.numpy() if layer.scale else np.ones_like(mean)
    shift = layer.beta.numpy() if layer.center else np.zeros_like(mean)
    parts = [graph.constant(array) for array in (gain, shift, mean, variance)]
    return graph.add("BatchNormalization", x, *parts, epsilon=layer.epsilon)


def _relu(graph: OnnxGraph, layer: Any, x: str) -> str:
    if float(layer.negative_slope) or float(layer.threshold):
        raise InputError(
            f"layer {layer.name!r}: a ReLU with a slope or a threshold has no ONNX operators here"
        )
    return graph.add("Relu", x) if layer.max_value is None else graph.clip(x, 0.0, float(layer.max_value))


def _activated(graph: OnnxGraph, layer: Any, x: str) -> str:
    name = layer.activation.__name__
    if name == "linear":
        return x
    if name == "relu6":
        return graph.clip(x, 0.0, 6.0)
    if name not in ("relu", "sigmoid", "tanh"):
        raise InputError(f"layer {layer.name!r}: activation {name!r} has no ONNX operators here")
    return graph.add(name.capitalize(), x)


def pads_of(
    padding: str,
    sides: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> list[int]:
    """ONNX's ``pads`` for TensorFlow's padding: ``same`` puts the odd row or column behind, not before."""
    if padding == "valid":
        return [0, 0, 0, 0]
    before, behind = [], []
    for side, size, stride, apart in zip(sides, kernel, strides, dilation, strict=True):
        total = max((-(-side // stride) - 1) * stride + (size - 1) * apart + 1 - side, 0)
        before.append(total // 2)
        behind.append(total - total // 2)
    return [*before, *behind]
