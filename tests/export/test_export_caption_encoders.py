"""Captioners behind published image networks: each is quantised, untrained, and its file writes what it should."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from caption_models import LENGTH, VOCABULARY, WORDS, parts, sentences

from rnnedge.models.captioner import captioner
from rnnedge_device.caption import CaptionSpec
from rnnedge_device.preprocess import Preprocess
from rnnedge_export.captions.qat import quantize_captioner

SIDE, COUNT = 64, 24
PIXELS = Preprocess((SIDE, SIDE), "rgb", mean=(0.5,), std=(0.5,))


def frames() -> np.ndarray:
    """Smooth pictures, uint8 ``[COUNT, SIDE, SIDE, 3]``."""
    coarse = np.random.default_rng(5).integers(0, 256, (COUNT, 4, 4, 3), np.uint8)
    return np.kron(coarse, np.ones((1, SIDE // 4, SIDE // 4, 1), np.uint8))


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "mobilenet_v3", "efficientnet_lite", "resnet50"])
def test_a_captioner_behind_it_becomes_one_int8_file(encoder: str) -> None:
    keras.utils.set_random_seed(4)
    built = captioner(
        (SIDE, SIDE, 3), WORDS, encoder=encoder, image="attention", units=20, embedding=16, attention=8
    )
    x = np.stack([PIXELS(frame) for frame in frames()])
    # Statistics of these pictures, so that what random weights make of them stays in range.
    for layer in built.get_layer("encoder").layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    for _ in range(2):
        built([x, sentences(COUNT)[:, :-1]], training=True)
    result = quantize_captioner(*parts(built), x, sentences(COUNT), np.arange(COUNT), epochs=0)
    for found in result.report["audits"].values():
        assert found["passed"]
        assert found["ties"] == []
        assert found["float_ops"] == {}
    features = result.student[0](x)
    assert np.corrcoef(features.ravel(), np.asarray(parts(built)[0](x)).ravel())[0, 1] > 0.8
    spec = CaptionSpec(max_length=LENGTH, beam=1, grid=(2, 2))
    said = [
        [c.caption(frame)[0].ids for frame in frames()]
        for c in (result.captioner(kind, VOCABULARY, PIXELS, spec) for kind in ("qat", "int8"))
    ]
    assert said[0] == said[1]
