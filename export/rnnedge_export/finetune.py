"""Quantisation-aware fine-tuning of the twin, with the float twin as a teacher."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_export.batches import Batches
from rnnedge_export.frames import bare, is_clip

Report = Callable[[dict[str, Any]], None]


def finetune(
    student: tf_keras.Model,
    teacher: tf_keras.Model,
    batches: Batches,
    *,
    epochs: int,
    learning_rate: float,
    distill: float = 0.5,
    loss: Any = None,
    validation: tuple[np.ndarray, ...] | None = None,
    report: Report | None = None,
) -> list[dict[str, Any]]:
    """Train the fake-quantised ``student`` in place; one dict of figures an epoch.

    The loss is ``(1 - distill) task + distill teacher``: how far the student is from the labels, and from the float
    model it stands for. Without labels only the teacher counts. Weights of a batch apply to the task alone, as a
    weighted mean. BatchNorm keeps its statistics. Adam, gradients clipped to a norm of 1, a cosine from
    ``learning_rate`` to zero.

    Args:
        loss: the task's, a ``tf_keras`` loss; by default sparse cross-entropy for integer labels, else mean squares.

    Raises:
        InputError: labels that do not fit the model's output.
    """
    for layer in student.layers:
        if isinstance(bare(layer), tf_keras.layers.BatchNormalization):
            layer.trainable = False
    steps = max(1, epochs * (len(batches) or 1000))
    schedule = tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = tf_keras.optimizers.Adam(schedule, clipnorm=1.0)
    # Variables that a step makes by itself would have it traced twice.
    optimizer.build(student.trainable_variables)
    classes = int(student.output_shape[-1])
    probabilities = ends_in_softmax(teacher)
    task = tf_keras.losses.get(loss) if loss is not None else None

    def losses(x: tf.Tensor, y: tf.Tensor | None, w: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        output, target = student(x, training=True), teacher(x, training=False)
        if y is None:
            return _distance(output, target, False, probabilities), output
        integer = y.dtype.is_integer
        if task is not None:
            # A loss object reduces what its ``call`` gives for each label.
            each = task(y, output) if w is None else getattr(task, "call", task)(y, output)
        elif integer:
            each = tf_keras.losses.sparse_categorical_crossentropy(y, output, from_logits=not probabilities)
        else:
            each = tf.square(tf.cast(y, tf.float32) - output)
        own = (
            tf.reduce_mean(each)
            if w is None
            else tf.math.divide_no_nan(tf.reduce_sum(each * w), tf.reduce_sum(w))
        )
        return (1 - distill) * own + distill * _distance(output, target, integer, probabilities), output

    @tf.function(reduce_retracing=True, autograph=False)
    def step(x: tf.Tensor, y: tf.Tensor | None, w: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            value, output = losses(x, y, w)
        variables = student.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value, output

    score = Predictor(student)
    history = []
    for epoch in range(1, epochs + 1):
        total, count = 0.0, 0
        right = np.zeros(2)  # labels met and labels, by weight
        for x, y, w in batches.epoch():
            if y is not None and y.dtype.kind in "iu":
                _check_labels(y, classes)
            value, output = step(*(None if part is None else tf.constant(part) for part in (x, y, w)))
            if not math.isfinite(float(value)):
                raise InputError(
                    f"learning_rate: {learning_rate}: the loss is {float(value)}; try a smaller one"
                )
            total, count = total + float(value) * len(x), count + len(x)
            if y is not None and y.dtype.kind in "iu":
                right += _met(output.numpy(), y, w)
        row: dict[str, Any] = {"epoch": epoch, "loss": total / count}
        if right[1]:
            row["accuracy"] = float(right[0] / right[1])
        if validation is not None:
            met, labels = _met(score(validation[0]), *validation[1:])
            row["val_accuracy"] = float(met / labels)
        history.append(row)
        if report:
            report(row)
    return history


def _distance(output: tf.Tensor, target: tf.Tensor, classify: bool, probabilities: bool) -> tf.Tensor:
    """How far the student is from its teacher: KL divergence of class scores, else relative mean squares."""
    if not classify and not probabilities:
        return tf.reduce_mean(tf.square(output - target)) / (tf.math.reduce_variance(target) + 1e-6)
    p = target if probabilities else tf.nn.softmax(target)
    q = output if probabilities else tf.nn.softmax(output)
    return tf.reduce_mean(tf_keras.losses.kl_divergence(p, q))


def _met(output: np.ndarray, y: np.ndarray, w: np.ndarray | None = None) -> np.ndarray:
    """How many labels ``y`` the scores ``output`` meet, and how many there are; both weighted by ``w``."""
    weights = np.ones(y.shape) if w is None else w
    return np.array([(weights * (output.argmax(-1) == y)).sum(), weights.sum()])


def _check_labels(y: np.ndarray, classes: int) -> None:
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise InputError(
            f"y: labels from {y.min()} to {y.max()}; the model has {classes} classes, 0 to {classes - 1}"
        )


def ends_in_softmax(model: tf_keras.Model) -> bool:
    """Does the model give probabilities?"""
    last = model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return isinstance(last, tf_keras.layers.Softmax) or activation == "softmax"


class Predictor:
    """Outputs of a model in inference, ``[N, ...] -> [N, ...]``; its graph is traced once."""

    def __init__(self, model: tf_keras.Model) -> None:
        self._run = tf.function(
            lambda batch: model(batch, training=False), reduce_retracing=True, autograph=False
        )
        # A clip has as many frames as a small batch has images.
        self._batch_size = 16 if is_clip(model) else 512

    def __call__(self, x: np.ndarray) -> np.ndarray:
        starts = range(0, len(x), self._batch_size)
        return np.concatenate([self._run(tf.constant(x[i : i + self._batch_size])).numpy() for i in starts])


def predict(model: tf_keras.Model, x: np.ndarray) -> np.ndarray:
    """Outputs of ``model`` in inference, once."""
    return Predictor(model)(x)
