"""The self-test of a bundle: does this machine compute what the exporting machine computed?

The golden images of a clip bundle are consecutive frames, streamed from reset. The decoder of a caption bundle is
led along the golden tokens, from what this machine's encoder gives.
"""

import math
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.bundle import Bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import BundleError
from rnnedge_device.golden import GOLDEN, Golden
from rnnedge_device.interpreter import RUNTIME_NAME, runtime_version

# Tie-free int8 is the same bits on every machine with the runtime it was exported with (ai-edge-litert);
# tflite-runtime's older kernels round products twice, and a recurrent state keeps what it once got: measured on 2,000
# MNIST images, 128 units, 28 steps: up to 6 LSB for a GRU, 19 for an LSTM, the same label for 99.95 % and 99.7 %.
MAX_LSB = {"litert": 0, "tflite": 24}
# A float32 border, as a share of the range of the expected outputs: float kernels sum in any order, and
# where there is int8 inside, an LSB of difference is a 255th of about this range.
MAX_SHARE = {"litert": 1e-4, "tflite": 24 / 255}


def self_test(bundle: Bundle, form: str | None = None, threads: int = 1) -> dict[str, Any]:
    """Run the golden images through a form, or through every form that has golden outputs.

    Returns:
        `{"ok", "images", "forms": [{"form", "ok", "equal", "agree", "max_lsb" | "max_abs", "allowed"}],
        "runtime", "exported_with", "numpy", "machine"}`; `equal` is the share of bit-equal outputs, `agree`
        the share of images with the same label, of `decode` the share of words with the same next one, of
        `encode` the share of images with the same largest output.

    Raises:
        BundleError: no golden inputs, or none for that form, or they do not fit the model.
    """
    if GOLDEN not in bundle.members:
        raise BundleError(f"bundle {bundle.path!r}: no {GOLDEN}: it has no self-test")
    golden = Golden.from_bytes(bundle.members[GOLDEN])
    wanted = [bundle.manifest.form(form).name] if form else [f.name for f in bundle.manifest.forms]
    tested = [name for name in wanted if name in golden.outputs]
    if not tested:
        have = ", ".join(sorted(golden.outputs)) or "none"
        raise BundleError(f"{GOLDEN}: no outputs for {', '.join(wanted)}; it has {have}")
    results = [_test_form(bundle, name, golden, threads) for name in tested]
    return {
        "ok": all(result["ok"] for result in results),
        "images": len(golden.images),
        "forms": results,
        "runtime": runtime_version(),
        "exported_with": dict(bundle.manifest.versions),
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def _test_form(bundle: Bundle, form: str, golden: Golden, threads: int) -> dict[str, Any]:
    expected = golden.outputs[form]
    dtype, width, steps = _row(bundle, form, golden)
    if expected.dtype != dtype or expected.shape[1] != steps * width:
        raise BundleError(
            f"{GOLDEN}: y_{form} {expected.dtype} {expected.shape}: must be {dtype} [N, {steps * width}]"
        )
    expected = expected.reshape(-1, width)
    found = _outputs(bundle, form, golden, threads)
    gap = float(np.abs(found.astype(np.float64) - expected).max())
    result: dict[str, Any] = {
        "form": form,
        "equal": float((found == expected).mean()),
        "agree": float((found.argmax(1) == expected.argmax(1)).mean()),
    }
    if dtype == "int8":
        allowed: float = MAX_LSB[RUNTIME_NAME]
        result["max_lsb"] = int(gap)
    else:
        allowed = MAX_SHARE[RUNTIME_NAME] * float(np.ptp(expected))
        result["max_abs"] = gap
    # Not `gap > allowed`: a NaN must fail.
    return {**result, "allowed": allowed, "ok": bool(gap <= allowed)}


def _row(bundle: Bundle, form: str, golden: Golden) -> tuple[str, int, int]:
    """Dtype and length of an output of the form, and how many there are an image."""
    described = bundle.manifest.form(form)
    y = described.outputs[0] if form == "encode" else described.output("y")
    steps = golden.tokens.shape[1] if form == "decode" and golden.tokens is not None else 1
    return y.dtype, math.prod(y.shape[1:]) if form == "encode" else y.shape[-1], steps


def _outputs(bundle: Bundle, form: str, golden: Golden, threads: int) -> NDArray[Any]:
    """Raw outputs `[N, K]` of a form for the golden images; of `decode` `[N * T, K]`."""
    images = golden.images
    if bundle.manifest.caption is not None:
        captioner = Captioner(bundle, threads)
        states = [captioner.encode(image) for image in images]
        if form == "encode":
            return np.stack([state[captioner.forms[0].outputs[0].name].ravel() for state in states])
        assert golden.tokens is not None  # as Golden.from_bytes has checked
        return np.concatenate(
            [captioner.logits(state, ids) for state, ids in zip(states, golden.tokens.tolist(), strict=True)]
        )
    if bundle.manifest.clip is None:
        classifier = Classifier(bundle, form, threads)
        return np.stack([classifier.predict(image).raw for image in images])
    model = ClipModel(bundle, threads=threads)
    view = model.preprocess.view()
    frames = [view.pixels(image) for image in images]
    if form == "sequence":
        return model.sequence(np.stack(frames))
    stream = model.open_stream()
    return np.stack([stream.step(frame).raw for frame in frames])
