"""MobileNets of keras.applications as frame encoders, on real photos."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from rnnedge_export import quantize

L = keras.layers
SIDE, LENGTH = 96, 2


@pytest.fixture(scope="module")
def photos(real_data: Path) -> np.ndarray:
    """Photos in pairs, ``float32 [32, 2, 96, 96, 3]`` RGB in -1..1."""
    files = sorted((real_data / "flickr8k" / "Flicker8k_Dataset").glob("*.jpg"))[: 32 * LENGTH]
    if not files:
        pytest.skip("no flickr8k photos beside RNNEDGE_DATA's other sets")
    images = [
        cv2.resize(cv2.imread(str(f))[..., ::-1], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for f in files
    ]
    return (np.stack(images).reshape(-1, LENGTH, SIDE, SIDE, 3) / 127.5 - 1).astype(np.float32)


def _features(encoder: keras.Model) -> keras.Model:
    """A clip model with random mixtures of the encoder's features as its outputs."""
    keras.utils.set_random_seed(2)
    frames = keras.Input((LENGTH, SIDE, SIDE, 3))
    x = L.TimeDistributed(encoder)(frames)
    return keras.Model(frames, L.Dense(24)(L.GRU(32, return_sequences=True)(x)))


def _correlation(model: keras.Model, photos: np.ndarray) -> float:
    """Between int8 and float outputs, on photos that ranges were not set on."""
    quantized = quantize(model, photos[:24], epochs=0, form="step")
    assert quantized.forms[0].audit.ties == []
    assert quantized.forms[0].audit.runtimes == {"ai-edge-litert": [], "tflite-runtime 2.14": []}
    int8, float_ = quantized.forms[0].runner().real(photos[24:]), np.asarray(model(photos[24:]))
    return float(np.corrcoef(float_.ravel(), int8.ravel())[0, 1])


def test_pretrained_mobilenet_v2_keeps_its_features(photos: np.ndarray, real_data: Path) -> None:
    """Without evened channels and corrected biases it is 0.33."""
    weights = real_data.parent / "weights" / "mobilenet_v2_0.35_96_notop.weights.h5"
    if not weights.is_file():
        pytest.skip(f"no {weights.name} beside RNNEDGE_DATA")
    encoder = keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), alpha=0.35, include_top=False, weights=str(weights), pooling="avg"
    )
    assert _correlation(_features(encoder), photos) > 0.95


@pytest.mark.skipif(not os.environ.get("RNNEDGE_ALL_ENCODERS"), reason="half a minute: make test-encoders")
def test_mobilenet_v3_with_hard_swish_and_squeeze_and_excite(photos: np.ndarray) -> None:
    """Random weights, without any training int8: 0.83 to 0.95 by their draw, so that the draw is fixed."""
    keras.utils.set_random_seed(4)
    encoder = keras.applications.MobileNetV3Small(
        input_shape=(SIDE, SIDE, 3),
        include_top=False,
        weights=None,
        pooling="avg",
        include_preprocessing=False,
    )
    for layer in encoder.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.momentum = 0.0
    encoder(photos[:, 0], training=True)  # statistics of real photos
    assert _correlation(_features(encoder), photos) > 0.9
