"""A clip bundle of the size of a small MobileNet with random weights, for a machine without a trained one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rnnedge_device.bundle import write_bundle
from rnnedge_device.clip import ClipSpec
from rnnedge_device.form import Form
from rnnedge_device.golden import Golden
from rnnedge_device.interpreter import load_model
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.tensors import State

SIDE, UNITS, RATE = 128, 64, 30.0
# Each a depthwise and a pointwise convolution; every other one halves the sides.
CHANNELS = (64, 128, 128, 256, 256, 512)
LABELS = ("none", "some", "more")


def write_random_bundle(path: Path) -> None:
    """Convert a float32 step with random weights and wrap it. Needs TensorFlow."""
    data = _convert()
    loaded = load_model(data, signature="step")
    form = Form(
        "step",
        "model.tflite",
        "step",
        tuple(port.tensor for port in loaded.inputs.values()),
        tuple(port.tensor for port in loaded.outputs.values()),
        (State("h0", "h0_next"),),
        size_bytes=len(data),
    )
    manifest = Manifest(
        name="random-mobile",
        task="clips",
        labels=LABELS,
        preprocess=Preprocess((SIDE, SIDE)),
        forms=(form,),
        clip=ClipSpec(fps=RATE, stride=1, length=4, head="every", background="none"),
    )
    write_bundle(path, manifest, {"model.tflite": data, "golden.npz": Golden(*_no_golden()).to_bytes()})


def _no_golden() -> tuple[Any, Any]:
    return np.zeros((1, SIDE, SIDE), np.uint8), {"step": np.zeros((1, len(LABELS)), np.float32)}


def _convert() -> bytes:
    import tensorflow as tf

    random = np.random.default_rng(3)

    def weights(*shape: int) -> Any:
        return tf.constant(random.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape).astype(np.float32))

    first = weights(3, 3, 1, 32)
    blocks, before = [], 32
    for channels in CHANNELS:
        blocks.append((weights(3, 3, before, 1) / 3, weights(1, 1, before, channels)))
        before = channels
    kernel, recurrent, head = weights(before, UNITS), weights(UNITS, UNITS), weights(UNITS, len(LABELS))

    @tf.function(
        input_signature=[
            tf.TensorSpec((1, SIDE, SIDE, 1), tf.float32, name="x"),
            tf.TensorSpec((1, UNITS), tf.float32, name="h0"),
        ]
    )
    def step(x: Any, h0: Any) -> dict[str, Any]:
        y = tf.nn.relu6(tf.nn.conv2d(x, first, 2, "SAME"))
        for number, (depthwise, pointwise) in enumerate(blocks):
            stride = 1 + number % 2
            y = tf.nn.relu6(tf.nn.depthwise_conv2d(y, depthwise, (1, stride, stride, 1), "SAME"))
            y = tf.nn.relu6(tf.nn.conv2d(y, pointwise, 1, "SAME"))
        h = tf.tanh(tf.matmul(tf.reduce_mean(y, (1, 2)), kernel) + tf.matmul(h0, recurrent))
        return {"y": tf.matmul(h, head), "h0_next": h}

    module = tf.Module()
    module.step = step
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"step": step})
        converted: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return converted
