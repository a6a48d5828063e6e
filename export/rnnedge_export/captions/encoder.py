"""``Int8Encoder``: the quantised encoder as the device computes it, for the decoder to learn from.

A deep encoder's fake quantisation is not its int8 kernels: a value that is rounded the other way somewhere moves on
from layer to layer (of MobileNetV2's features at 192 pixels a quarter were equal, up to 19 steps apart). So the encoder
is converted first, and the decoder is fine-tuned on what the converted one gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_device.interpreter import load_model
from rnnedge_export.convert import Job, convert
from rnnedge_export.graphs import frozen


class Int8Encoder:
    """Features of model inputs ``[N, h, w, c]``, float32 ``[N, E]`` or ``[N, P, E]``, through the device's interpreter.

    Args:
        model: fake-quantised, with its ranges set.
        time_limit_s: of the conversion.

    Attributes:
        border: its input.
        shape: of the features of one image.

    Raises:
        InputError: the converter refused or crashed.
    """

    def __init__(self, model: tf_keras.Model, time_limit_s: float) -> None:
        shape = (1, *model.inputs[0].shape[1:])
        function = frozen(
            lambda x: {"features": model(x, training=False)}, {"x": tf.TensorSpec(shape, name="x")}
        )
        layers = [layer.name for layer in model.layers]
        found = convert([Job("features", function)], layers, time_limit_s)["features"]
        if isinstance(found, Exception):
            raise found
        self._model = load_model(found)
        self.border = self._model.inputs["x"].tensor
        self.shape = tuple(int(n) for n in model.output_shape[1:])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """See the class."""
        out = self._model.outputs["features"].tensor
        rows = [self._model.run({"x": self.border.encode(image[np.newaxis])})["features"] for image in x]
        return out.decode(np.concatenate(rows))


@dataclass(frozen=True)
class Given:
    """Stands for an encoder whose features are computed elsewhere: what it is given it gives.

    Args:
        shape: of the features, without the batch.
    """

    shape: Sequence[int]

    @property
    def inputs(self) -> list[tf.TensorSpec]:
        return [tf.TensorSpec((None, *self.shape))]

    def __call__(self, x: Any, training: bool = False) -> Any:
        return x
