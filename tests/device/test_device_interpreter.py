"""The runtime shim on real models."""

import os
import subprocess
import sys

import numpy as np
import pytest

from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.interpreter import RUNTIME_NAME, load_model, runtime_version
from rnnedge_device.quantization import dequantize, quantize


def test_ports_are_found_by_signature_name(tiny):
    model = load_model(tiny.models["step"])
    assert set(model.inputs) == {"x", "h0", "c0"}
    assert set(model.outputs) == {"y", "h0_next", "c0_next"}
    x, h = model.inputs["x"].tensor, model.inputs["h0"].tensor
    assert (x.shape, x.dtype, x.zero_point) == ((1, 8), "int8", -128)
    assert x.scale == pytest.approx(1 / 255)
    after = model.outputs["h0_next"].tensor
    assert (h.scale, h.zero_point) == (after.scale, after.zero_point)


def test_outputs_are_copies_that_the_next_call_leaves_alone(tiny):
    model = load_model(tiny.models["loop"])
    rng = np.random.default_rng(1)
    first, second = rng.integers(-128, 128, (2, 1, 8, 8, 1), np.int8)
    y = model.run({"x": first})["y"]
    kept = y.copy()
    other = model.run({"x": second})["y"]
    assert (y == kept).all()
    assert (other != kept).any()
    assert (model.run({"x": first})["y"] == kept).all()


def test_several_signatures_of_one_file(tiny):
    for name in ("serve", "step"):
        assert load_model(tiny.models["both"], signature=name).signature == name
    x = np.random.default_rng(2).integers(-128, 128, (1, 8, 8, 1), np.int8)
    both = load_model(tiny.models["both"], signature="serve").run({"x": x})
    assert (both["y"] == load_model(tiny.models["loop"]).run({"x": x})["y"]).all()
    # The second signature lives in another subgraph than the first.
    rows = {"x": x[:, 0, :, 0], "h0": np.zeros((1, 24), np.int8), "c0": np.full((1, 24), 9, np.int8)}
    alone, beside = load_model(tiny.models["step"]), load_model(tiny.models["both"], signature="step")
    for name, value in alone.run(rows).items():
        assert (beside.run(rows)[name] == value).all()
    with pytest.raises(BundleError, match="'decode': the model has serve, step"):
        load_model(tiny.models["both"], signature="decode")


def test_a_wrong_feed_is_an_error_not_a_guess(tiny):
    model = load_model(tiny.models["loop"])
    with pytest.raises(KeyError):
        model.run({"image": np.zeros((1, 8, 8, 1), np.int8)})
    with pytest.raises(ValueError, match="type"):
        model.run({"x": np.zeros((1, 8, 8, 1), np.float32)})
    with pytest.raises(ValueError, match=r"[Dd]imension"):
        model.run({"x": np.zeros((1, 8, 9, 1), np.int8)})


def test_reset_clears_what_the_fused_op_keeps(tiny):
    model = load_model(tiny.models["fused"])
    x = tiny.images[:1].astype(np.float32) / 255
    first = model.run({"x": x})["y"]
    assert np.abs(model.run({"x": x})["y"] - first).max() > 0.1  # it does leak, or this test shows nothing
    model.reset()
    assert (model.run({"x": x})["y"] == first).all()


@pytest.mark.parametrize("data", [b"", b"TFL3", b"x" * 1000, b"\0" * 64])
def test_what_is_not_a_model_is_a_bundle_error(data):
    with pytest.raises(BundleError, match="cannot load the model"):
        load_model(data)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_bad_threads_are_named(tiny, threads):
    with pytest.raises(InputError, match="threads = "):
        load_model(tiny.models["loop"], threads)


def test_threads_do_not_change_the_answer(tiny):
    x = np.random.default_rng(4).integers(-128, 128, (1, 8, 8, 1), np.int8)
    one, two = (load_model(tiny.models["loop"], threads).run({"x": x})["y"] for threads in (1, 2))
    assert (one == two).all()


def child(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_loading_says_nothing_on_stderr(tiny, tmp_path):
    (tmp_path / "m.tflite").write_bytes(tiny.models["loop"])
    done = child(
        "import sys; from rnnedge_device.interpreter import load_model\n"
        f"m = load_model(open({str(tmp_path / 'm.tflite')!r}, 'rb').read())\n"
        "print('still there', file=sys.stderr)"
    )
    assert (done.returncode, done.stderr) == (0, "still there\n")


def test_the_runtime_can_be_forced():
    code = "from rnnedge_device import interpreter as i; print(i.RUNTIME_NAME)"
    assert child(code, RNNEDGE_RUNTIME="litert").stdout == "litert\n"
    done = child(code, RNNEDGE_RUNTIME="onnx")
    assert "InputError: RNNEDGE_RUNTIME = 'onnx': must be one of litert, tflite" in done.stderr


def test_the_runtime_and_its_version_are_known():
    assert RUNTIME_NAME in ("litert", "tflite")
    assert runtime_version().split()[0] in ("ai-edge-litert", "tflite-runtime")
    assert runtime_version().split()[1][0].isdigit()


def test_quantize_rounds_half_to_even_and_clips():
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 1000, -1000], np.float32)
    assert quantize(x, 1.0, 0).tolist() == [0, 2, 2, 0, -2, 127, -128]
    assert quantize(x, 1.0, 5).tolist() == [5, 7, 7, 5, 3, 127, -128]
    assert quantize(x, 1.0, 0).dtype == np.int8


def test_every_int8_survives_the_way_to_real_and_back():
    q = np.arange(-128, 128).astype(np.int8)
    for scale, zero_point in ((1 / 255, -128), (0.00792157, 0), (3.7, 100)):
        real = dequantize(q, scale, zero_point)
        assert real.dtype == np.float32
        assert real[q == zero_point] == 0
        assert (quantize(real, scale, zero_point) == q).all()
