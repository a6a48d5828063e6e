"""Makes two real, tiny clip models without the exporter: `tiny_clip_model.py OUT`.

`light.tflite` (float32): labels still, brighter, darker, told by weights set by hand from the change of mean
brightness, so that no single frame gives the answer, plus a little of a random recurrent layer, so that every bit
depends on every frame before. `int8.tflite`: a random gated recurrent layer, int8 throughout, its state tied. Both
have the signatures `step` (one frame) and `sequence` (four frames at once) in one file.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tiny_model import convert, fq, weight

SIDE, UNITS, CLASSES, LENGTH = 8, 12, 3, 4
GATE, HIDDEN, LOGITS = (-6.0, 6 * 127 / 128), (-1.01, 1.01), (-4.0, 4.0)


class Light:
    """y = [still, brighter, darker] from mean brightness now and before (state m0), and a tanh layer (h0)."""

    def __init__(self, rng):
        self.kernel = rng.normal(0, 0.3, (SIDE * SIDE, UNITS)).astype(np.float32)
        self.recurrent = (0.9 * np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0]).astype(np.float32)
        self.head = rng.normal(0, 0.1, (UNITS, CLASSES)).astype(np.float32)

    def cell(self):
        return self._step

    def _step(self, x, m0, h0):
        pixels = tf.reshape(x, (1, SIDE * SIDE))
        mean = tf.reduce_mean(pixels, axis=1, keepdims=True)
        change = 400.0 * (mean - m0)
        h = tf.tanh(tf.matmul(pixels, self.kernel) + tf.matmul(h0, self.recurrent))
        told = tf.concat([tf.zeros_like(change), change - 6.0, -change - 6.0], axis=1)
        return {"y": told + tf.matmul(h, self.head), "m0_next": mean, "h0_next": h}


def on_grid(value):
    """Weights that are whole numbers of one scale, with a 127 for each output.

    The converter quantises a matrix with one use as a whole and one with several by output: here to the same.
    """
    steps = np.rint(value / np.abs(value).max() * 127)
    columns = np.arange(value.shape[1])
    largest = np.abs(value).argmax(axis=0)
    steps[largest, columns] = 127 * np.sign(value[largest, columns])
    return (steps * np.abs(value).max() / 127).astype(np.float32)


class Int8:
    """h' = sigmoid(a) * tanh(b + U h), every tensor int8; h goes out in the scale it comes in."""

    def __init__(self, rng):
        self.kernel = on_grid(rng.normal(0, 0.25, (SIDE * SIDE, 2 * UNITS)))
        self.recurrent = on_grid(1.5 * np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0])
        self.head = on_grid(rng.normal(0, 0.6, (UNITS, CLASSES)))

    def cell(self):
        kernel, recurrent, head = map(weight, (self.kernel, self.recurrent, self.head))

        def step(x, h0):
            pixels = fq(tf.reshape(x, (1, SIDE * SIDE)), 0.0, 1.0)
            zx = fq(tf.matmul(pixels, kernel), *GATE)
            zh = fq(tf.matmul(fq(h0, *HIDDEN), recurrent), *GATE)
            gate = fq(tf.sigmoid(zx[:, :UNITS]), 0.0, 255 / 256)
            h = fq(gate * fq(tf.tanh(fq(zx[:, UNITS:] + zh, *GATE)), -1.0, 127 / 128), *HIDDEN)
            return {"y": fq(tf.matmul(h, head), *LOGITS), "h0_next": h}

        return step


def step_of(model):
    return lambda x, **states: model.cell()(x, **states)


def sequence_of(model):
    """The same steps written out over `x [1, LENGTH, h, w, c]`."""

    def run(x, **states):
        step, answers = model.cell(), []
        for number in range(LENGTH):
            found = step(x[:, number], **states)
            states = {name: found[f"{name}_next"] for name in states}
            answers.append(found["y"])
        return {"y": tf.stack(answers, axis=1), **{f"{name}_next": state for name, state in states.items()}}

    return run


def both(model, **states):
    """Both signatures for `convert`."""
    frame = {"x": (1, SIDE, SIDE, 1), **states}
    frames = {"x": (1, LENGTH, SIDE, SIDE, 1), **states}
    return {"step": (step_of(model), frame), "sequence": (sequence_of(model), frames)}


def main(out):
    rng = np.random.default_rng(11)
    light = convert(both(Light(rng), m0=(1, 1), h0=(1, UNITS)), None, optimize=False)
    (out / "light.tflite").write_bytes(light)
    (out / "int8.tflite").write_bytes(convert(both(Int8(rng), h0=(1, UNITS)), tf.int8))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
