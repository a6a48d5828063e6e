"""``teaching_graph``: a captioner as it is taught: each image encoded once, the halves of a batch side by side."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models.captioner import encoder_of
from rnnedge_device.vocabulary import END, PAD

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402


def teaching_graph(model: keras.Model, *, encoded: bool = False) -> keras.Model:
    """A captioner for batches of :class:`rnnedge.data.caption_batches.CaptionBatches`, on the captioner's own weights.

    Inputs float32 ``[I, h, w, c]`` (or, ``encoded``, what the encoder gives for them), words int32 ``[B, L]`` and int32
    ``[B]``, the image of each row; output logits ``[B, L, words]``.
    """
    see = model.get_layer("projection") if encoded else encoder_of(model)
    images = keras.Input(see.input_shape[1:], name="images")
    tokens, of = model.inputs[1], keras.Input((), name="of", dtype="int32")
    return keras.Model([images, tokens, of], Halves(see, model.get_layer("decoder"))(images, tokens, of))


def in_halves() -> bool:
    """Whether two halves of a batch take less time than the whole: on TensorFlow and processor cores alone.

    Most kernels of a step are too small for several cores. A GPU wants all of a batch at once; XLA knows no length that
    a batch's words decide.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def use_both_halves() -> None:
    """Leave half of the cores to each half of a batch, if TensorFlow has not started and nobody has said otherwise."""
    if in_halves() and "TF_NUM_INTRAOP_THREADS" not in os.environ:
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # it has started
            tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // 2))


class Halves(keras.layers.Layer):
    """What a model ``see``s in images, decoded: ``[I, ...], [B, L], [B] -> [B, L, words]``.

    Where it is :func:`in_halves`, both halves of the images, then both halves of the sentences are computed at the same
    time. The second half of the sentences ends with its longest one, so that little of it is padding where the longest
    of all come first; logits behind that are 0.
    """

    def __init__(self, see: keras.Model, decoder: keras.layers.Layer) -> None:
        super().__init__(dtype="float32", autocast=False)
        self.see, self.decoder = see, decoder
        self.halved = in_halves()

    def build(self, images_shape: Any, tokens_shape: Any, of_shape: Any) -> None:
        """See Keras; all layers are built."""
        self.built = True

    def compute_output_shape(self, images_shape: Any, tokens_shape: Any, of_shape: Any) -> tuple:
        return self.decoder.compute_output_shape(images_shape, tokens_shape)

    def call(self, images: Any, tokens: Any, of: Any, training: bool | None = None) -> Any:
        """See the class."""

        def said(features: Any, of: Any, tokens: Any) -> Any:
            return self.decoder(ops.take(features, of, axis=0), tokens, training=training)

        if not self.halved:
            return said(self.see(images, training=training), of, tokens)
        seen, also = (self.see(half, training=training) for half in _halves(images))
        features = _joined(seen, also, images)
        (first, second), (of_first, of_second) = _halves(tokens), _halves(of)
        steps = ops.max(ops.sum(ops.cast((second != PAD) & (second != END), "int32"), axis=1))
        rest = said(features, of_second, second[:, :steps])
        rest = ops.pad(rest, ((0, 0), (0, ops.shape(tokens)[1] - steps), (0, 0)))
        return _joined(said(features, of_first, first), rest, tokens)


def _halves(rows: Any) -> tuple[Any, Any]:
    """Of an odd number of rows the one in the middle is in both, for neither may be empty."""
    half = (ops.shape(rows)[0] + 1) // 2
    return rows[:half], rows[-half:]


def _joined(first: Any, second: Any, rows: Any) -> Any:
    """What was made of both :func:`_halves` of ``rows``, one for each row."""
    return ops.concatenate([first, second[ops.shape(rows)[0] % 2 :]], axis=0)
