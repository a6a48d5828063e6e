"""``fuse_normalisation``: batch normalisation of images as one kernel where TensorFlow trains."""

from __future__ import annotations

from functools import partial
from typing import Any

from rnnedge.backend import use_backend

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402


def fuse_normalisation(model: keras.Model) -> None:
    """Have the batch normalisations in ``model`` train through TensorFlow's fused kernel; elsewhere, nothing.

    Keras puts them together from a dozen operations, each of which reads and writes the whole ``[B, h, w, C]``: more
    time than the convolutions beside them take (``benchmarks/training_step.py``). Means, variances and moving
    averages stay Keras's own.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.BatchNormalization and not layer.renorm:
            # Of this object only: what is saved, scored and quantised is Keras's own layer.
            layer.call = partial(_call, layer, layer.call)


def _call(layer: Any, unfused: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    images = len(inputs.shape) == 4 and layer.axis in (-1, 3)
    if not (training and layer.trainable and images and mask is None):
        return unfused(inputs, training=training, mask=mask)
    import tensorflow as tf

    channels = inputs.shape[-1]
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=layer.gamma if layer.scale else ops.ones(channels),
        offset=layer.beta if layer.center else ops.zeros(channels),
        mean=[],
        variance=[],
        epsilon=layer.epsilon,
        is_training=True,
    )
    # The kernel's variance is that of a sample, n / (n - 1) times Keras's.
    count = ops.cast(ops.prod(ops.shape(inputs)[:3]), "float32")
    for moving, new in (
        (layer.moving_mean, mean),
        (layer.moving_variance, variance * (count - 1) / count),
    ):
        moving.assign(moving * layer.momentum + new * (1.0 - layer.momentum))
    return outputs
