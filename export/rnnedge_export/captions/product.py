"""``product``: what a matrix makes of rows of any number of axes."""

from __future__ import annotations

import tensorflow as tf

from rnnedge_export.cells import Weights


def product(x: tf.Tensor, layer: str, w: Weights) -> tf.Tensor:
    """``x [..., F]`` times the kernel of ``layer``, with its bias."""
    kernel = w[f"{layer}/kernel"]
    rows = tf.matmul(tf.reshape(x, (-1, kernel.shape[0])), kernel)
    if f"{layer}/bias" in w:
        rows = rows + w[f"{layer}/bias"]
    batch = [-1 if size is None else size for size in x.shape[:-1]]
    return tf.reshape(rows, (*batch, kernel.shape[1])) if x.shape.rank != 2 else rows
