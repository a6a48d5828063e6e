"""Golden captions and the self-test that asks for them."""

import io
import json

import numpy as np
import pytest
from tiny_captions import images

from rnnedge_device.bundle import Bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.golden import Golden, golden_captions
from rnnedge_device.selftest import self_test


@pytest.fixture
def int8(caption_bundle):
    return Captioner(caption_bundle)


def test_golden_captions_are_the_decoders_own_words(caption_bundle, int8):
    golden = Golden.from_bytes(caption_bundle.members["golden.npz"])
    assert (golden.images == images(6)).all()
    assert golden.tokens.dtype == np.int32
    assert golden.tokens.shape == (6, 5)
    assert golden.tokens.min() >= 4
    assert len(np.unique(golden.tokens)) > 3
    for number, image in enumerate(golden.images):
        state, ids = int8.encode(image), golden.tokens[number].tolist()
        raw = int8.logits(state, ids)
        assert (golden.outputs["decode"][number].reshape(5, -1) == raw).all()
        assert (4 + raw[:, 4:].argmax(1)).tolist() == ids
        first = caption_bundle.manifest.form("encode").outputs[0].name
        assert (golden.outputs["encode"][number] == state[first].ravel()).all()
    assert golden.to_bytes() == caption_bundle.members["golden.npz"]
    assert golden_captions(int8, images(6), 5).to_bytes() == golden.to_bytes()


def test_the_self_test_passes_on_the_machine_that_made_it(caption_bundle, caption_bundle_path, run_cli):
    result = self_test(caption_bundle)
    assert result["ok"]
    assert [(form["form"], form["equal"], form["agree"], form["max_lsb"]) for form in result["forms"]] == [
        ("encode", 1.0, 1.0, 0),
        ("decode", 1.0, 1.0, 0),
    ]
    assert [form["form"] for form in self_test(caption_bundle, "decode")["forms"]] == ["decode"]
    code, out, _ = run_cli(caption_bundle_path, "--selftest", "--json")
    assert code == 0
    assert json.loads(out)["selftest"]["ok"]


@pytest.mark.parametrize("form", ["encode", "decode"])
def test_the_self_test_finds_one_wrong_byte(caption_bundle, form):
    golden = Golden.from_bytes(caption_bundle.members["golden.npz"])
    outputs = {name: y.copy() for name, y in golden.outputs.items()}
    outputs[form][3, 7] += 100 if outputs[form][3, 7] < 0 else -100
    data = Golden(golden.images, outputs, golden.tokens).to_bytes()
    result = self_test(Bundle(caption_bundle.manifest, {**caption_bundle.members, "golden.npz": data}))
    assert not result["ok"]
    assert {row["form"]: row["ok"] for row in result["forms"]}[form] is False
    assert max(row["max_lsb"] for row in result["forms"]) >= 100


def arrays(**changes):
    """A golden file of two images, three tokens each, 11 words."""
    found = {
        "images": np.zeros((2, 8, 8), np.uint8),
        "y_encode": np.zeros((2, 40), np.int8),
        "tokens": np.full((2, 3), 4, np.int32),
        "y_decode": np.zeros((2, 33), np.int8),
        **changes,
    }
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in found.items() if value is not None})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": None}, "tokens and y_decode, or neither"),
        ({"y_decode": None}, "tokens and y_decode, or neither"),
        ({"tokens": np.full((2, 3), 4, np.int64)}, r"tokens int64 \(2, 3\): must be int32"),
        ({"tokens": np.full((2, 3), 4.0, np.float32)}, "tokens float32"),
        ({"tokens": np.full(6, 4, np.int32)}, r"must be int32 \[2, T\]"),
        ({"tokens": np.full((3, 2), 4, np.int32)}, r"must be int32 \[2, T\]"),
        ({"tokens": np.zeros((2, 0), np.int32)}, r"must be int32 \[2, T\]"),
        ({"tokens": np.full((2, 4), 4, np.int32)}, r"must be ids below K and \[N, T \* K\]"),
        ({"tokens": np.full((2, 3), 11, np.int32)}, "4?11 to 11, .* must be ids below K"),
        ({"tokens": np.full((2, 3), -1, np.int32)}, "-1 to -1, .* must be ids below K"),
        ({"y_decode": np.zeros((6, 11), np.int8)}, "y_decode int8"),
        ({"y_decode": np.zeros((2, 36), np.int8)}, r"y_decode int8 \(2, 36\): must be int8 \[N, 33\]"),
        ({"y_decode": np.zeros((2, 33), np.float32)}, "y_decode float32"),
        ({"y_encode": np.zeros((2, 41), np.int8)}, r"y_encode int8 \(2, 41\): must be int8 \[N, 40\]"),
    ],
)
def test_golden_captions_that_cannot_be_trusted_are_refused(caption_bundle, changes, message):
    with pytest.raises(BundleError, match=f"^golden.npz: .*{message}"):
        self_test(
            Bundle(caption_bundle.manifest, {**caption_bundle.members, "golden.npz": arrays(**changes)})
        )


def test_golden_captions_need_images_words_and_a_length(int8):
    for given, length in ((images(2), 0), (images(2), 2.5), (images(0), 3)):
        with pytest.raises(InputError, match=f"length = {length}, {len(given)} images"):
            golden_captions(int8, given, length)
