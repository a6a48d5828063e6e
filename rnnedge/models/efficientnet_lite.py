"""EfficientNet-Lite0: EfficientNet-B0 for integers, without squeeze-and-excite and with ReLU6 for swish."""

from __future__ import annotations

from typing import Any

from rnnedge.backend import use_backend

use_backend()

import keras  # noqa: E402 - the backend is chosen first

# Kernel, stride, expansion, channels, repeats of each stage: Tan and Le 2019, table 1; the Lite variant keeps the
# sizes of stem and head (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, HEAD = 32, 1280


def efficientnet_lite(
    input_shape: tuple[int, int, int],
    include_top: bool = False,
    weights: str | None = None,
    pooling: str | None = None,
    name: str = "efficientnet_lite",
) -> keras.Model:
    """``[N, h, w, 3]`` from -1 to 1 to ``[N, h/32, w/32, 1280]``, or ``[N, 1280]`` with ``pooling="avg"``.

    The arguments are those of ``keras.applications``; there is no classifier on top (``include_top`` is ignored).
    ``weights`` is a file or None.
    """
    image = keras.Input(input_shape, name="image")
    x = _conv(image, STEM, 3, 2, "stem")
    for stage, (kernel, stride, expansion, channels, repeats) in enumerate(STAGES):
        for block in range(repeats):
            x = _block(
                x, kernel, 1 if block else stride, expansion, channels, f"block{stage}{chr(97 + block)}"
            )
    x = _conv(x, HEAD, 1, 1, "head")
    if pooling:
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, x, name=name)
    if weights:
        model.load_weights(weights)
    return model


def _block(x: Any, kernel: int, stride: int, expansion: int, channels: int, name: str) -> Any:
    """An inverted residual: expand, depthwise, project, and add where the shapes allow."""
    inputs = x
    if expansion > 1:
        x = _conv(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = _relu6(_norm(x, f"{name}_depthwise"), f"{name}_depthwise")
    x = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = _norm(x, f"{name}_project")
    return keras.layers.Add(name=f"{name}_add")([inputs, x]) if inputs.shape == x.shape else x


def _conv(x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
    x = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return _relu6(_norm(x, name), name)


def _norm(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(name=f"{name}_norm")(x)


def _relu6(x: Any, name: str) -> Any:
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
