"""Score a model or a bundle on labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnedge.data.dataset import Dataset
from rnnedge_device.errors import InputError

if TYPE_CHECKING:
    from rnnedge.data.clips import ClipSet
    from rnnedge_device.bundle import Bundle
    from rnnedge_device.preprocess import Preprocess


@dataclass(frozen=True)
class Evaluation:
    """Figures on one data set.

    Attributes:
        data, split: what was scored.
        accuracy: share of the images whose best class is right.
        images: how many were scored; skipped: how many could not be decoded.
        classes: for each class name, images, precision, recall and f1 (0 where undefined).
        confusion: ``[K][K]`` counts, true class by predicted class.
        form: the bundle's form that computed, or ``keras``.
        latency_us: median inference time an image, None where it was not timed.
    """

    data: str
    split: str
    accuracy: float
    images: int
    skipped: int
    classes: dict[str, dict[str, float]]
    confusion: list[list[int]]
    form: str = "keras"
    latency_us: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self)


def predict_logits(model: Any, inputs: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """A Keras model's outputs float32 ``[N, K]`` for inputs ``[N, h, w, c]``.

    Batches are equal, the last one filled up: another size would compile another graph.
    """
    size = min(batch_size, len(inputs))
    parts = []
    for first in range(0, len(inputs), size):
        part = inputs[first : first + size]
        short = size - len(part)
        if short:
            part = np.concatenate([part, np.repeat(part[-1:], short, axis=0)])
        parts.append(np.asarray(model.predict_on_batch(part))[: size - short])
    return np.concatenate(parts).astype(np.float32)


def mean_loss(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean cross-entropy in nats of logits ``[N, K]``, each with its weight where there are ``weights`` ``[N]``."""
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    picked = z[np.arange(len(z)), labels]
    return float(np.average(np.log(np.exp(z).sum(axis=1)) - picked, weights=weights))


def evaluate_model(
    model: Any, dataset: Dataset, preprocess: Preprocess, *, batch_size: int = 500
) -> Evaluation:
    """Score a Keras model whose input is what ``preprocess`` makes."""
    from rnnedge.data.batches import to_inputs, to_pixels

    expected = tuple(model.input_shape[1:])
    if expected != tuple(preprocess.shape):
        raise InputError(
            f"preprocess: makes {list(preprocess.shape)}, but the model's input is {list(expected)}"
        )
    logits = predict_logits(model, to_inputs(to_pixels(dataset, preprocess), preprocess), batch_size)
    return score(dataset, logits.argmax(axis=1), classes=logits.shape[1])


def evaluate_bundle(
    bundle: Bundle, dataset: Dataset, *, form: str | None = None, threads: int = 1
) -> Evaluation:
    """Score a bundle image by image through the device's own classifier.

    The data set's classes are matched to the bundle's labels by name, so a folder may hold some of them in
    any order.
    """
    from rnnedge_device.classify import Classifier

    labels = list(bundle.manifest.labels)
    to_bundle = class_numbers(dataset, labels)
    matched = Dataset(
        dataset.images,
        to_bundle[dataset.labels],
        labels,
        dataset.ids,
        dataset.name,
        dataset.split,
        dataset.skipped,
    )
    classifier = Classifier(bundle, form=form, threads=threads)
    predictions = [classifier.predict(matched.images[i]) for i in range(len(matched))]
    predicted = np.array([p.index for p in predictions])
    latency = float(np.median([p.latency_us for p in predictions]))
    return score(matched, predicted, classes=len(labels), form=classifier.form.name, latency=latency)


def class_numbers(dataset: Dataset | ClipSet, labels: Sequence[str]) -> np.ndarray:
    """Which of a model's ``labels`` each class of a data set is, int64 ``[K]``, matched by name.

    Raises:
        InputError: a class that is none of the labels.
    """
    unknown = sorted(set(dataset.names) - set(labels))
    if unknown:
        raise InputError(
            f"{dataset.name}: has classes the bundle does not know: {', '.join(unknown[:5])}; "
            f"its labels are {', '.join(labels[:20])}"
        )
    return np.array([list(labels).index(name) for name in dataset.names], np.int64)


def score(
    dataset: Dataset | ClipSet,
    predicted: np.ndarray,
    *,
    classes: int,
    form: str = "keras",
    latency: float | None = None,
) -> Evaluation:
    """Figures of predicted class indices ``[N]``, of images or of clips that have a label each."""
    if classes != len(dataset.names):
        raise InputError(
            f"{dataset.name}: has {len(dataset.names)} classes, but the model has {classes} outputs"
        )
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (dataset.labels, predicted), 1)
    right, truth, called = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    table = {}
    for i, name in enumerate(dataset.names):
        precision = right[i] / called[i] if called[i] else 0.0
        recall = right[i] / truth[i] if truth[i] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if right[i] else 0.0
        table[name] = {
            "images": int(truth[i]),
            "precision": round(float(precision), 4),
            "recall": round(float(recall), 4),
            "f1": round(float(f1), 4),
        }
    return Evaluation(
        dataset.name,
        dataset.split,
        float(right.sum() / len(dataset)),
        len(dataset),
        len(dataset.skipped),
        table,
        confusion.tolist(),
        form,
        latency,
    )
