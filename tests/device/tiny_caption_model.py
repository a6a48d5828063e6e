"""Makes a real, tiny int8 caption model without the exporter: `tiny_caption_model.py OUT`.

Random weights, every tensor int8 but the token, the states and the encoder's outputs tied to the decoder's inputs.
`caption.tflite` has the signatures `encode` and `decode`, with attention over four quarters of the image.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tiny_clip_model import GATE, HIDDEN, on_grid
from tiny_model import convert, fq, weight

SIDE, UNITS, PLACES, DEPTH, WORDS = 8, 12, 4, 10, 11
UNIT, LOGITS, ATTENTION = (-1.0, 127 / 128), (-9.0, 9.1), (0.0, 255 / 256)


class Captions:
    """h' = sigmoid(a) * tanh(b + U h) over words, where a and b see the word and the places looked at."""

    def __init__(self, rng):
        def weights(*shape, gain=1.0):
            return on_grid(rng.normal(0, gain / np.sqrt(shape[0]), shape))

        self.start, self.places = (
            weights(SIDE * SIDE, UNITS, gain=4.0),
            weights(SIDE * SIDE // 4, DEPTH, gain=3.0),
        )
        self.keys, self.seen = weights(DEPTH, UNITS, gain=2.0), weights(DEPTH, 2 * UNITS, gain=2.0)
        self.embedding = fq(tf.constant(rng.uniform(-1, 1, (WORDS, UNITS)), tf.float32), *UNIT).numpy()
        self.kernel, self.recurrent = weights(UNITS, 2 * UNITS, gain=3.0), weights(UNITS, UNITS, gain=1.5)
        self.head = weights(UNITS, WORDS, gain=6.0)

    def encode(self, x):
        pixels = fq(x, 0.0, 1.0)
        quarters = tf.reshape(pixels, (2, 4, 2, 4))
        quarters = tf.reshape(tf.transpose(quarters, (0, 2, 1, 3)), (PLACES, SIDE * SIDE // 4))
        features = fq(tf.tanh(fq(tf.matmul(quarters, weight(self.places)), *GATE)), *UNIT)
        keys = fq(tf.matmul(features, weight(self.keys)), *GATE)
        h = fq(
            tf.tanh(fq(tf.matmul(tf.reshape(pixels, (1, SIDE * SIDE)), weight(self.start)), *GATE)), *HIDDEN
        )
        return {"h0": h, "features": features[tf.newaxis], "keys": keys[tf.newaxis]}

    def decode(self, token, h0, features, keys):
        h, features, keys = fq(h0, *HIDDEN), fq(features, *UNIT), fq(keys, *GATE)
        match = fq(tf.reduce_sum(fq(keys * h[:, tf.newaxis], *GATE), axis=2), *GATE)
        attention = fq(tf.nn.softmax(match), *ATTENTION)
        seen = fq(tf.reduce_sum(fq(features * attention[:, :, tf.newaxis], *UNIT), axis=1), *UNIT)
        word = fq(tf.gather(tf.constant(self.embedding), token), *UNIT)
        z = fq(
            fq(tf.matmul(word, weight(self.kernel)), *GATE) + fq(tf.matmul(seen, weight(self.seen)), *GATE),
            *GATE,
        )
        zh = fq(tf.matmul(h, weight(self.recurrent)), *GATE)
        gate = fq(tf.sigmoid(z[:, :UNITS]), 0.0, 255 / 256)
        h = fq(gate * fq(tf.tanh(fq(z[:, UNITS:] + zh, *GATE)), *UNIT), *HIDDEN)
        return {"y": fq(tf.matmul(h, weight(self.head)), *LOGITS), "h0_next": h, "attention": attention}


def main(out):
    model = Captions(np.random.default_rng(23))
    kept = {"h0": (1, UNITS), "features": (1, PLACES, DEPTH), "keys": (1, PLACES, UNITS)}
    token = tf.TensorSpec((1,), tf.int32, name="token")
    functions = {
        "encode": (model.encode, {"x": (1, SIDE, SIDE, 1)}),
        "decode": (model.decode, {"token": token, **kept}),
    }
    (out / "caption.tflite").write_bytes(convert(functions, tf.int8))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
