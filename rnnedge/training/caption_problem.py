"""``CaptionProblem``: sentences of images, each word behind those before it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.data.caption_batches import CaptionBatches, Sentences
from rnnedge.data.caption_text import build_vocabulary
from rnnedge.data.captions import CaptionSet, load_captions
from rnnedge.data.feature_cache import cached_grids
from rnnedge.models.files import load_model
from rnnedge.recipes import Recipe
from rnnedge.recipes.models import Captioner
from rnnedge.training.build import build_model
from rnnedge.training.caption_graph import in_halves, teaching_graph, use_both_halves
from rnnedge.training.problem import Problem
from rnnedge.training.result import load_result
from rnnedge_device.errors import InputError
from rnnedge_device.vocabulary import PAD, Vocabulary

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402


class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy with words ``[B, L]`` in nats, ``smoothing`` of their probability spread over all words.

    A mean over words, of which a batch is taken to have ``words`` a sentence: a word counts the same in a batch of
    short sentences as in one of long ones.
    """

    def __init__(self, smoothing: float, words: float) -> None:
        super().__init__(reduction="sum", name="cross_entropy")
        self.smoothing, self.words = smoothing, words

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Logits ``[B, L, words]`` -> ``[B, L]``, shares of the mean."""
        logs = ops.log_softmax(y_pred, axis=-1)
        own = ops.take_along_axis(logs, ops.expand_dims(ops.cast(y_true, "int32"), -1), axis=-1)[..., 0]
        each = -(1 - self.smoothing) * own - self.smoothing * ops.mean(logs, axis=-1)
        return each / (self.words * ops.cast(ops.shape(y_true)[0], each.dtype))


class CaptionProblem(Problem):
    """Captioned images of ``data.name``; an encoder that does not learn sees each of them once."""

    def __init__(self, recipe: Recipe, *, strict: bool = False) -> None:
        super().__init__(recipe)
        assert isinstance(recipe.model, Captioner)
        use_both_halves()
        self._train, self._val = (recipe_captions(recipe, split, strict=strict) for split in ("train", "val"))
        vocabulary = _vocabulary(recipe, self._train)
        self.names = list(vocabulary.words)
        self.counts = {"train": len(self._train), "val": len(self._val)}
        self.skipped = len(self._train.skipped) + len(self._val.skipped)
        self._preprocess = recipe.preprocess()
        self._sentences, self._val_sentences = (
            Sentences(captions, vocabulary, recipe.caption.length) for captions in (self._train, self._val)
        )
        self.steps = CaptionBatches.count(len(self._sentences), recipe.train.batch_size)
        init = recipe.train.init
        self._before = load_model(Path(init) / "model.keras") if init else None
        self.kept = self._built()
        self._grids: dict[str, np.ndarray | None] = {"train": None, "val": None, "mirrored": None}
        if recipe.model.freeze:
            see = partial(
                cached_grids,
                self.kept.get_layer("encoder"),
                preprocess=self._preprocess,
                threads=2 if in_halves() else 1,
            )
            self._grids = {"train": see(self._train), "val": see(self._val)}
            self._grids["mirrored"] = see(self._train, mirrored=True) if recipe.augment.flip else None
        self._scored = teaching_graph(self.kept, encoded=self._frozen)

    def _built(self) -> keras.Model:
        model = build_model(self.recipe, len(self.names))
        before = self._before
        if before is not None:
            try:
                for layer in ("encoder", "projection", "decoder"):
                    model.get_layer(layer).set_weights(before.get_layer(layer).get_weights())
            except ValueError as error:
                raise InputError(
                    f"train.init={self.recipe.train.init!r}: holds another model than this recipe's: {error}"
                ) from None
        return model

    @property
    def _frozen(self) -> bool:
        assert isinstance(self.recipe.model, Captioner)
        return self.recipe.model.freeze

    def model(self) -> keras.Model:
        """See :class:`Problem`."""
        self._trained = self._built()
        if self.recipe.train.init:
            # What is begun from weights is fine-tuned: statistics of small batches would spoil it.
            for layer in self._trained.get_layer("encoder").layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.trainable = False
        self._decoder = self._trained.get_layer("decoder")
        self._decoder.samples = self.recipe.train.scheduled_sampling > 0
        return teaching_graph(self._trained, encoded=self._frozen)

    def slow(self) -> tuple[list[str], float]:
        """See :class:`Problem`."""
        rate = self.recipe.train.encoder_rate
        encoder = self._trained.get_layer("encoder")
        return ([w.path for w in encoder.trainable_weights] if rate < 1 else []), rate

    def objective(self) -> dict[str, Any]:
        """See :class:`Problem`. What lies behind a sentence's end weighs nothing."""
        return {
            "loss": SmoothedCrossEntropy(
                self.recipe.train.label_smoothing, float(self._sentences.lengths.mean()) - 1
            ),
            "weighted_metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def batches(self, epoch: int, start: int) -> CaptionBatches:
        """See :class:`Problem`."""
        t = self.recipe.train
        self._decoder.sampling.assign(t.scheduled_sampling * epoch / max(1, t.epochs - 1))
        return CaptionBatches(
            self._train,
            self._preprocess,
            self._sentences,
            t.batch_size,
            grids=self._grids["train"],
            mirrored=self._grids["mirrored"],
            flip=self.recipe.augment.flip,
            augment=None if self._frozen else self.recipe.augmentation(),
            word_dropout=t.word_dropout,
            pool=t.length_pool,
            seed=t.seed,
            epoch=epoch,
            start=start,
            workers=2,
            max_queue_size=8,
        )

    def keep(self, model: keras.Model) -> None:
        """See :class:`Problem`."""
        self.kept.set_weights(self._trained.get_weights())

    def score(self) -> tuple[float, float]:
        """See :class:`Problem`: of words, each behind the right ones before it."""
        batches = CaptionBatches(
            self._val,
            self._preprocess,
            self._val_sentences,
            min(128, len(self._val_sentences)),
            grids=self._grids["val"],
        )
        loss = right = count = 0.0
        for index in range(len(batches)):
            inputs, after, weights = batches[index]
            logits = np.asarray(self._scored.predict_on_batch(inputs), np.float32)
            logs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
            loss -= float((weights * np.take_along_axis(logs, after[..., None], -1)[..., 0]).sum())
            right += float((weights * (logits.argmax(-1) == after)).sum())
            count += float((after != PAD).sum())
        return loss / count, right / count


def recipe_captions(recipe: Recipe, split: str, *, strict: bool = False) -> CaptionSet:
    """A split of the captioned images that a recipe names."""
    return load_captions(recipe.data.name, split, strict=strict)


def _vocabulary(recipe: Recipe, train: CaptionSet) -> Vocabulary:
    """The words of the run that this one begins with, else those of the training sentences."""
    if recipe.train.init:
        try:
            return Vocabulary(tuple(load_result(recipe.train.init).labels))
        except InputError as error:
            raise InputError(f"train.init: {error}; give the folder of a finished `rnnedge train`") from None
    return build_vocabulary(train.captions, recipe.caption.min_count)
