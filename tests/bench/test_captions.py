"""The captions benchmark: its ONNX graphs compute the captioner, and what computes something else is refused."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MISSING = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
WORDS, LENGTH, PICTURES = 24, 6, 6
with_peers = pytest.mark.skipif(
    bool(MISSING), reason=f"the peers are not installed ({', '.join(MISSING)}): extra [bench]"
)


def subject(image: str, cell: str, layers: int = 1, encoder: str = "cnn", side: int = 23) -> Any:
    """An untrained captioner with biases and statistics that matter, on random pictures."""
    import keras

    from benchmarks.captions.subject import make_subject
    from rnnedge.models.captioner import captioner

    keras.utils.set_random_seed(1)
    options = {"filters": [8, 12]} if encoder == "cnn" else {"alpha": 0.35}
    sizes = {"units": 20, "layers": layers, "embedding": 16, "attention": 8}
    shape, kind = (side, side + 1, 3), {"image": image, "cell": cell, "encoder": encoder}
    model = captioner(shape, WORDS, **kind, **sizes, **options)
    random = np.random.default_rng(2)
    pictures = random.uniform(-1, 1, (PICTURES, *shape)).astype(np.float32)
    for layer in model._flatten_layers():
        for weight in layer.weights:
            if weight.name in ("bias", "beta"):
                weight.assign(random.normal(0, 0.3, weight.shape))
    for _ in range(20):  # normalisation learns what is there, so that pictures differ in their features
        model([pictures, np.ones((PICTURES, LENGTH), np.int32)], training=True)
    return make_subject(model, pictures)


def candidates(made: Any, style: str) -> list:
    """Both halves in ONNX Runtime."""
    from benchmarks.captions.onnx_decoder import onnx_models
    from benchmarks.captions.onnx_peer import onnx_candidate

    models = onnx_models(made, style)
    return [
        onnx_candidate(style, half, model.SerializeToString(), 0, exact=True)
        for half, model in models.items()
    ]


@with_peers
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("image", ["first", "state", "attention"])
def test_onnx_graphs_equal_the_float_twin(image: str, cell: str) -> None:
    from benchmarks.captions.candidate import agreement
    from benchmarks.captions.onnx_cells import STYLES

    made = subject(image, cell, layers=2)
    for style in STYLES:
        for candidate in candidates(made, style):
            assert agreement(candidate, made).error < 1e-5


@with_peers
@pytest.mark.parametrize(("image", "cell"), [("first", "lstm"), ("attention", "gru")])
def test_mobilenet_v2_equals_the_float_twin(image: str, cell: str) -> None:
    from benchmarks.captions.candidate import agreement

    # 32 pixels: a padding that TensorFlow puts behind only, down to a grid of one place; 72: three.
    for side in (32, 72):
        made = subject(image, cell, encoder="mobilenet_v2", side=side)
        for candidate in candidates(made, "operator"):
            assert agreement(candidate, made).error < 1e-4


@with_peers
def test_dynamic_int8_computes_the_same_words() -> None:
    from benchmarks.captions.candidate import MIN_CORRELATION, agreement
    from benchmarks.captions.onnx_peer import onnx_peers

    made = subject("attention", "lstm")
    found = onnx_peers(made)
    assert len(found) == 7  # an encoder, and decoders in float32, int8 and uint8 with two cells each
    for candidate in found:
        assert agreement(candidate, made).correlation > MIN_CORRELATION
        assert candidate.size_bytes > 0


def test_float_tflite_equals_the_float_twin() -> None:
    from benchmarks.captions.candidate import agreement
    from benchmarks.captions.tflite import float32

    made = subject("first", "gru")
    for candidate in float32(made):
        assert agreement(candidate, made).error < 1e-5


@with_peers
def test_another_model_is_refused() -> None:
    from benchmarks.captions.candidate import agreement
    from rnnedge_device.errors import InputError

    made = subject("state", "gru")
    decode = candidates(made, "operator")[1]
    off = replace(
        decode, call=lambda given: {name: 1.01 * value for name, value in decode.call(given).items()}
    )
    with pytest.raises(InputError, match=r"operator, decode: .* differs .* allowed: 1e-03"):
        agreement(off, made)
    noise = np.random.default_rng(0)
    off = replace(
        decode,
        exact=False,
        call=lambda given: {name: noise.normal(size=v.shape) for name, v in decode.call(given).items()},
    )
    with pytest.raises(InputError, match=r"operator, decode: .* a correlation of"):
        agreement(off, made)
    less = replace(decode, call=lambda given: {"y": decode.call(given)["y"]})
    with pytest.raises(InputError, match=r"gives \['y'\]"):
        agreement(less, made)


@with_peers
@pytest.mark.parametrize("side", [7, 8, 9])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (5, 3, 1), (3, 1, 2), (1, 2, 1)])
def test_padding_is_tensorflows(side: int, kernel: int, stride: int, dilation: int) -> None:
    import onnxruntime
    import tf_keras

    from benchmarks.captions.onnx_encoder import add_encoder
    from benchmarks.captions.onnx_graph import OnnxGraph

    convolution = tf_keras.layers.Conv2D(
        2, kernel, stride, padding="same", dilation_rate=dilation, activation="tanh"
    )
    twin = tf_keras.Sequential(
        [tf_keras.Input((side, side + 1, 3)), convolution, tf_keras.layers.GlobalAveragePooling2D()]
    )
    graph = OnnxGraph("encode")
    model = graph.finish({"x": (1, side, side + 1, 3)}, {"y": (add_encoder(graph, twin, "x"), (1, 2))})
    x = np.random.default_rng(0).normal(size=(1, side, side + 1, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], twin(x).numpy(), atol=1e-6)


@with_peers
def test_a_layer_without_operators_is_named() -> None:
    import tf_keras

    from benchmarks.captions.onnx_encoder import add_encoder
    from benchmarks.captions.onnx_graph import OnnxGraph
    from rnnedge_device.errors import InputError

    twin = tf_keras.Sequential([tf_keras.Input((8, 8, 3)), tf_keras.layers.UpSampling2D(name="wider")])
    with pytest.raises(InputError, match="layer 'wider': a UpSampling2D has no ONNX operators here"):
        add_encoder(OnnxGraph("encode"), twin, "x")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.captions", *arguments]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.skipif(not MISSING, reason="the peers are installed")
def test_missing_peers_are_named(tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.returncode != 0
    assert all(name in done.stderr for name in MISSING)
    assert "rnnedge[bench]" in done.stderr


@with_peers
def test_no_run_is_refused(tmp_path: Path) -> None:
    done = run(str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "is not a folder" in done.stderr
