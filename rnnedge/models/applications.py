"""Published image networks as encoders, with random weights, ImageNet's or a file's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models.efficientnet_lite import efficientnet_lite
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first

NAME = "frame_encoder"
SMALLEST = 32  # pixels of a side that can be halved five times
APPLICATIONS: dict[str, Callable[..., keras.Model]] = {
    "mobilenet_v2": keras.applications.MobileNetV2,
    "mobilenet_v3": keras.applications.MobileNetV3Small,
    "efficientnet_lite": efficientnet_lite,
    "resnet50": keras.applications.ResNet50,
}


def application_encoder(
    encoder: str,
    shape: tuple[int, int, int],
    *,
    alpha: float = 1.0,
    weights: str = "",
    minimalistic: bool = False,
    pooling: str | None = None,
) -> keras.Model:
    """A published network without its classifier: ``[N, h, w, 3]`` to ``[N, rows, columns, F]``, or to ``[N, F]``.

    Args:
        encoder: one of :data:`APPLICATIONS`; inputs are RGB, from -1 to 1 for all but ``resnet50``: its published
            weights want 0..255 less the channels' means (``data.mean = [0.4076, 0.4579, 0.4849]`` from red to blue
            reversed, see docs/captions.md).
        shape: ``(h, w, 3)`` with sides of at least 32.
        alpha: of ``mobilenet_*``: the width; 1.0 is the published one.
        weights: ``""`` (random), ``"imagenet"`` (downloaded by Keras) or a file of weights. With weights, batch
            normalisation keeps its statistics: a few images are too alike to renew them.
        minimalistic: of ``mobilenet_v3``: without squeeze-and-excite, hard swish and 5x5 convolutions.
        pooling: ``"avg"`` for the average over the grid.

    Raises:
        InputError: a shape, an option or weights that do not fit the network.
    """
    if shape[2] != 3:
        raise InputError(
            f"encoder={encoder!r}: needs colour frames of 3 channels, got {shape[2]} (data.color='rgb')"
        )
    if min(shape[:2]) < SMALLEST:
        raise InputError(
            f"encoder={encoder!r}: needs frames of at least {SMALLEST}x{SMALLEST}, got {shape[0]}x{shape[1]}"
        )
    if minimalistic and encoder != "mobilenet_v3":
        raise InputError(f"minimalistic=True with encoder={encoder!r}: is for encoder='mobilenet_v3'")
    if weights not in ("", "imagenet") and not Path(weights).is_file():
        raise InputError(
            f"weights={weights!r}: is no file; must be a file of weights, 'imagenet' or '' (random)"
        )
    options: dict[str, Any] = {"alpha": alpha} if encoder.startswith("mobilenet") else {}
    if encoder == "mobilenet_v3":
        # Its preprocessing would be layers of the graph; here it is the recipe's mean and std.
        options |= {"include_preprocessing": False, "minimalistic": minimalistic}
    if encoder == "efficientnet_lite" and weights == "imagenet":
        raise InputError(
            "weights='imagenet': Keras has none of encoder='efficientnet_lite'; give a file or ''"
        )
    try:
        with warnings.catch_warnings():
            # A file that does not fit is one error, not a hundred warnings before it.
            warnings.simplefilter("ignore")
            model = APPLICATIONS[encoder](
                input_shape=shape,
                include_top=False,
                weights=weights or None,
                pooling=pooling,
                name=NAME,
                **options,
            )
    except Exception as error:
        # Whatever Keras met: an alpha without published weights, no download, a file of another model.
        raise InputError(
            f"weights={weights!r}: do not load into {encoder} with alpha={alpha}: {error}"
        ) from error
    if weights:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    return model
