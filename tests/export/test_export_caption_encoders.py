"""Captioners that see with published networks: quantised, audited, and the same words in int8 as in the trained model.

Half a minute of both cores for each encoder: ``make test-encoders`` asks for them.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from caption_models import LENGTH, VOCABULARY, images, model, quantize

from rnnedge_device.caption import CaptionSpec
from rnnedge_device.preprocess import Preprocess

SIDE = 48  # the smallest grid of more than one place: 2x2
pytestmark = pytest.mark.skipif(
    not os.environ.get("RNNEDGE_ALL_ENCODERS"), reason="some minutes: make test-encoders"
)


@pytest.mark.parametrize(
    ("image", "cell", "encoder"),
    [
        ("attention", "lstm", {"encoder": "mobilenet_v2", "alpha": 0.35}),
        ("first", "gru", {"encoder": "mobilenet_v3", "alpha": 0.5}),
        ("state", "lstm", {"encoder": "efficientnet_lite"}),
        ("attention", "gru", {"encoder": "resnet50"}),
    ],
    ids=lambda value: value.get("encoder") if isinstance(value, dict) else value,
)
def test_int8_writes_the_trained_models_sentences(image: str, cell: str, encoder: dict) -> None:
    result = quantize(model(image, cell, side=SIDE, **encoder), side=SIDE)
    for name, found in result.report["audits"].items():
        assert found["passed"], name
        assert found["float_ops"] == {}
        assert found["ties"] == []
        assert found["runtimes"] == {"ai-edge-litert": [], "tflite-runtime 2.14": []}
    spec = CaptionSpec(max_length=LENGTH, beam=1, grid=(2, 2) if image == "attention" else None)
    captioners = {
        kind: result.captioner(kind, VOCABULARY, Preprocess((SIDE, SIDE), "rgb"), spec)
        for kind in ("qat", "int8")
    }
    frames = np.rint(images(24, SIDE) * 255).astype(np.uint8)
    said = {kind: [c.caption(frame)[0].ids for frame in frames] for kind, c in captioners.items()}
    assert len(set(said["qat"])) > 3  # the image matters
    same = np.mean([one == other for one, other in zip(said["qat"], said["int8"], strict=True)])
    assert same >= 0.95
