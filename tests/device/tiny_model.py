"""Makes a real, tiny recurrent classifier in every form, without the exporter: `tiny_model.py OUT`.

An LSTM over the rows of scikit-learn's 8x8 digit scans, trained for a few seconds, quantised by fake
quantisation with fixed ranges. In a process of its own, so that no device test has TensorFlow beside it.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
import tf_keras
from sklearn.datasets import load_digits

UNITS, ROWS, COLUMNS, CLASSES, TRAIN = 24, 8, 8, 10, 1400
GATE = (-8.0, 8 * 127 / 128)
HIDDEN, CELL = (-1.01, 1.01), (-4.0, 4.0)


def fq(x, low, high, narrow=False):
    return tf.quantization.fake_quant_with_min_max_args(x, low, high, num_bits=8, narrow_range=narrow)


def weight(value):
    top = float(np.abs(value).max())
    return fq(tf.constant(value), -top, top, narrow=True)


def train(images, labels):
    """A float LSTM; its gates are reordered from Keras's i,f,g,o to i,f,o,g: one LOGISTIC, one TANH."""
    tf_keras.utils.set_random_seed(7)
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Input((ROWS, COLUMNS)),
            tf_keras.layers.LSTM(UNITS, unroll=True),
            tf_keras.layers.Dense(CLASSES),
        ]
    )
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(1e-2), loss)
    model.fit(images[:TRAIN], labels[:TRAIN], batch_size=64, epochs=25, verbose=0)
    kernel, recurrent, bias, head, head_bias = model.get_weights()
    order = np.concatenate([np.arange(UNITS) + UNITS * gate for gate in (0, 1, 3, 2)])
    return model, (kernel[:, order], recurrent[:, order], bias[order], head, head_bias)


class Functions:
    """The two int8 graphs over one set of weights."""

    def __init__(self, weights):
        self.kernel, self.recurrent, self.bias, self.head, self.head_bias = weights

    def project(self, x):
        return fq(tf.matmul(fq(x, 0.0, 1.0), weight(self.kernel)) + self.bias, *GATE)

    def cell(self, zx, h, c):
        z = fq(zx + fq(tf.matmul(h, weight(self.recurrent)), *GATE), *GATE)
        gates = fq(tf.sigmoid(z[:, : 3 * UNITS]), 0.0, 255 / 256)
        i, f, o = tf.split(gates, 3, 1)
        g = fq(tf.tanh(z[:, 3 * UNITS :]), -1.0, 127 / 128)
        c = fq(fq(f * c, -4.1, 4.1) + fq(i * g, -1.03, 1.03), *CELL)
        return fq(o * fq(tf.tanh(c), -1.0, 127 / 128), *HIDDEN), c

    def classify(self, h):
        return fq(tf.matmul(h, weight(self.head)) + self.head_bias, -24.0, 24.0)

    def loop(self, x):
        zx = self.project(tf.reshape(x, (ROWS, COLUMNS)))

        def body(t, h, c):
            zt = fq(tf.gather(zx, tf.reshape(t, (1,))), *GATE)
            h, c = self.cell(zt, fq(h, *HIDDEN), fq(c, *CELL))
            return t + 1, h, c

        zero = tf.zeros((1, UNITS))
        _, h, _ = tf.while_loop(lambda t, h, c: t < ROWS, body, [tf.constant(0), zero, zero])
        return {"y": self.classify(fq(h, *HIDDEN))}

    def step(self, x, h0, c0):
        h, c = self.cell(self.project(x), fq(h0, *HIDDEN), fq(c0, *CELL))
        return {"y": self.classify(h), "h0_next": h, "c0_next": c}


def convert(functions, io, owner=None, optimize=True):
    """`functions`: signature name → (function, {input: shape or spec}); several become signatures of one file."""
    module = tf.Module()
    module.owner = owner  # whose variables the functions read
    concrete = {}
    for name, (function, shapes) in functions.items():
        specs = {
            key: shape if isinstance(shape, tf.TensorSpec) else tf.TensorSpec(shape, name=key)
            for key, shape in shapes.items()
        }
        made = tf.function(function)
        # Not the bare name: a module attribute called `serve` makes the converter look for other signatures.
        setattr(module, f"function_{name}", made)
        concrete[name] = made.get_concrete_function(**specs)
    folder = os.path.join(sys.argv[1], "saved_" + "_".join(functions))
    tf.saved_model.save(module, folder, signatures=concrete)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = io
    return converter.convert()


def main(out):
    digits = load_digits()
    scans, labels = np.round(digits.images * 255 / 16).astype(np.uint8), digits.target
    images = scans.astype(np.float32) / 255
    model, weights = train(images, labels)
    graphs = Functions(weights)
    image = {"x": (1, ROWS, COLUMNS, 1)}
    state = {"x": (1, COLUMNS), "h0": (1, UNITS), "c0": (1, UNITS)}
    (out / "loop.tflite").write_bytes(convert({"serve": (graphs.loop, image)}, tf.int8))
    (out / "step.tflite").write_bytes(convert({"serve": (graphs.step, state)}, tf.int8))
    both = {"serve": (graphs.loop, image), "step": (graphs.step, state)}
    (out / "both.tflite").write_bytes(convert(both, tf.int8))
    (out / "float_border.tflite").write_bytes(convert({"serve": (graphs.loop, image)}, tf.float32))
    stock = tf_keras.Sequential(
        [
            tf_keras.layers.Input((ROWS, COLUMNS), batch_size=1),
            tf_keras.layers.LSTM(UNITS),
            tf_keras.layers.Dense(CLASSES),
        ]
    )
    stock.set_weights(model.get_weights())
    fused = {"fused": (lambda x: {"y": stock(x, training=False)}, {"x": (1, ROWS, COLUMNS)})}
    (out / "fused.tflite").write_bytes(convert(fused, tf.float32, stock, optimize=False))
    np.savez(
        out / "held_out.npz",
        images=scans[TRAIN:],
        labels=labels[TRAIN:].astype(np.int64),
        float_y=model.predict(images[TRAIN:], verbose=0),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
