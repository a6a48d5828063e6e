"""``teaching_graph``: a captioner as it is taught: each image encoded once, the halves of a batch side by side."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from rnnedge.backend import use_backend
from rnnedge_device.vocabulary import END, PAD

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402


def teaching_graph(model: keras.Model, *, encoded: bool = False) -> keras.Model:
    """A captioner for batches of :class:`rnnedge.data.caption_batches.CaptionBatches`, on the captioner's own weights.

    Inputs float32 ``[I, h, w, c]`` (or, ``encoded``, what the encoder gives for them), words int32 ``[B, L]`` and int32
    ``[B]``, the image of each row; output logits ``[B, L, words]``.
    """
    encoder, projection, decoder = (model.get_layer(name) for name in ("encoder", "projection", "decoder"))
    images = keras.Input(encoder.output_shape[1:], name="grid") if encoded else model.inputs[0]
    tokens, of = model.inputs[1], keras.Input((), name="of", dtype="int32")
    seeing = [projection] if encoded else [encoder, projection]
    return keras.Model([images, tokens, of], Halves(seeing, decoder)(images, tokens, of))


def use_both_halves() -> None:
    """Leave half of the cores to each half of a batch, if TensorFlow has not started and nobody has said otherwise.

    Most kernels of a step are too small for several cores.
    """
    if keras.backend.backend() == "tensorflow" and "TF_NUM_INTRAOP_THREADS" not in os.environ:
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # it has started
            tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // 2))


class Halves(keras.layers.Layer):
    """What layers ``see`` in images, decoded: ``[I, ...], [B, L], [B] -> [B, L, words]``.

    On TensorFlow both halves of the images, then both halves of the sentences are computed at the same time. The second
    half of the sentences ends with its longest one, so that little of it is padding where the longest of all come
    first; logits behind that are 0.
    """

    def __init__(self, see: list[keras.layers.Layer], decoder: keras.layers.Layer) -> None:
        super().__init__(dtype="float32", autocast=False)
        self.see, self.decoder = see, decoder

    def build(self, images_shape: Any, tokens_shape: Any, of_shape: Any) -> None:
        """See Keras; all layers are built."""
        self.built = True

    def compute_output_shape(self, images_shape: Any, tokens_shape: Any, of_shape: Any) -> tuple:
        return self.decoder.compute_output_shape(images_shape, tokens_shape)

    def call(self, images: Any, tokens: Any, of: Any, training: bool | None = None) -> Any:
        """See the class."""

        def seen(part: Any) -> Any:
            for layer in self.see:
                part = layer(part, training=training)
            return part

        def said(features: Any, of: Any, tokens: Any) -> Any:
            return self.decoder(ops.take(features, of, axis=0), tokens, training=training)

        if keras.backend.backend() != "tensorflow":  # XLA knows no length that a batch's words decide
            return said(seen(images), of, tokens)
        count = ops.shape(images)[0]
        # Of an odd number the one in the middle is in both, for neither may be empty.
        half, odd = (count + 1) // 2, count % 2
        features = ops.concatenate([seen(images[:half]), seen(images[half - odd :])], axis=0)
        of = ops.where(of < half, of, of + odd)
        count, length = ops.shape(tokens)
        half, odd = (count + 1) // 2, count % 2
        rest = tokens[half - odd :]
        steps = ops.max(ops.sum(ops.cast((rest != PAD) & (rest != END), "int32"), axis=1))
        first = said(features, of[:half], tokens[:half])
        second = said(features, of[half - odd :], rest[:, :steps])[odd:]
        return ops.concatenate([first, ops.pad(second, ((0, 0), (0, length - steps), (0, 0)))], axis=0)
