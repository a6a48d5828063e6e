"""Channels of convolutions made fit for int8, in the student's weights and without a change of what they compute.

* A **depthwise** kernel has a single scale in tfmot: its channels are given one range, and the BatchNorm behind takes
  the difference, ``gamma (s z - mean) / sigma = (gamma s) (z - mean / s) / sigma``.
* A **dead** channel, whose weights are all but zero, has a scale so small that its bias, an int32 in units of that
  scale, would be cut off and lost: its largest weight is raised to what is still nothing beside the other channels'.

Pretrained MobileNets have both, channels 300 times smaller than others and some at 1e-20.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

_L = tf_keras.layers
# Of the largest channel.
DEAD = 2.0**-13


def fit_channels(twin: tf_keras.Model, copies: dict[str, Any]) -> None:
    """Fit the convolutions of ``copies``, the student's layers by name, which hold the weights of ``twin``."""
    for layer in twin.layers:
        if isinstance(layer, (_L.Conv2D, _L.DepthwiseConv2D)):
            convolution, norm = copies[layer.name], _norm_behind(layer, copies)
            _lift_dead(convolution, norm)
            if isinstance(layer, _L.DepthwiseConv2D) and norm is not None and not layer.use_bias:
                _even(convolution, norm)


def _norm_behind(layer: Any, copies: dict[str, Any]) -> Any:
    behind = [node.layer for node in layer._outbound_nodes]
    norm = len(behind) == 1 and isinstance(behind[0], _L.BatchNormalization) and behind[0].scale
    return copies[behind[0].name] if norm else None


def _kernel(convolution: Any) -> tuple[Any, np.ndarray]:
    """The kernel's variable, and its weights ``[h w inputs, channels]``."""
    if isinstance(convolution, _L.DepthwiseConv2D):
        variable = convolution.depthwise_kernel
        return variable, variable.numpy().reshape(-1, np.prod(variable.shape[2:]))
    return convolution.kernel, convolution.kernel.numpy().reshape(-1, convolution.kernel.shape[-1])


def _lift_dead(convolution: Any, norm: Any) -> None:
    variable, weights = _kernel(convolution)
    gain = np.ones(weights.shape[1])
    if norm is not None:
        gain = np.abs(norm.gamma.numpy()) / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    size = np.abs(weights).max(0) * gain
    for channel in np.flatnonzero((size < DEAD * size.max()) & (gain > 0)):
        largest = np.abs(weights[:, channel]).argmax()
        weights[largest, channel] = DEAD * size.max() / gain[channel]
    variable.assign(weights.reshape(variable.shape))


def _even(convolution: Any, norm: Any) -> None:
    variable, weights = _kernel(convolution)
    size = np.abs(weights).max(0)
    size = np.where(size > 0, size, 1.0)
    variable.assign((weights / size).reshape(variable.shape))
    norm.gamma.assign(norm.gamma * size)
    norm.moving_mean.assign(norm.moving_mean / size)
