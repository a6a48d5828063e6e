"""Score a clip model on labelled clips: classes, frames and events, all streamed through the device's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnedge.clips.event_scores import hours_of, score_events
from rnnedge.clips.streamed import Streamed, answer, decode, stream_clip
from rnnedge.data.clips import UNLABELLED, Clip, ClipSet
from rnnedge.evaluate import Evaluation, class_numbers, score
from rnnedge.recipes import Recipe
from rnnedge.recipes.models import ClipRnn
from rnnedge_device.classify import probabilities
from rnnedge_device.clip import ClipSpec
from rnnedge_device.clips import ClipModel
from rnnedge_device.manifest import Manifest


@dataclass(frozen=True)
class ClipEvaluation:
    """Figures of one model on one set of clips.

    Attributes:
        clips: of the clips' classes; None where no clip has one.
        balanced: the mean of the classes' recalls, None likewise.
        frames: ``{"accuracy", "balanced", "frames"}`` over labelled frames, for a head that answers at every one.
        events: see ``score_events``; None where the videos hold none.
    """

    clips: Evaluation | None
    balanced: float | None
    frames: dict[str, Any] | None
    events: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "clips": self.clips.to_dict() if self.clips else None,
            "balanced": self.balanced,
            "frames": self.frames,
            "events": self.events,
        }


def evaluate_clips(model: ClipModel, clips: ClipSet, form: str = "step") -> ClipEvaluation:
    """Stream every clip from a fresh state and score what was said."""
    streamed = [stream_clip(model, clip) for clip in clips.clips]
    return score_streamed(streamed, clips, model.clip, form)


def evaluate_keras_clips(model: Any, clips: ClipSet, recipe: Recipe) -> ClipEvaluation:
    """Score a Keras clip model, all frames of a clip at once, with the event rules of its recipe."""
    from rnnedge.training.clip_logits import ClipLogits

    logits = ClipLogits(model, recipe.preprocess())(clips.clips)
    return score_clips([probabilities(row, "logits") for row in logits], clips, recipe.clip_spec())


def bundle_recipe(manifest: Manifest, recipe: Recipe | None = None) -> Recipe:
    """A recipe whose data are those of ``recipe`` (the defaults without one), read as the bundle reads frames."""
    spec, pre = manifest.clip, manifest.preprocess
    assert spec is not None
    base = recipe or Recipe(model=ClipRnn())
    read = {
        "size": list(pre.size),
        "mean": list(pre.mean),
        "std": list(pre.std),
        **{key: getattr(pre, key) for key in ("color", "fit", "invert", "equalize")},
    }
    keys = ("fps", "stride", "length", "head", "background", "max_gap_ms")
    clip = {key: getattr(spec, key) for key in keys}
    return base.model_copy(
        update={"data": base.data.model_copy(update=read), "clip": base.clip.model_copy(update=clip)}
    )


def score_streamed(
    streamed: Sequence[Streamed], clips: ClipSet, spec: ClipSpec, form: str = "step"
) -> ClipEvaluation:
    """Figures of scores that are there already; the labels' order is the clips'."""
    latency = float(np.median([s.latency_us for s in streamed]))
    scores = [s.scores for s in streamed]
    return score_clips(scores, clips, spec, form, latency)


def score_clips(
    scores: Sequence[np.ndarray],
    clips: ClipSet,
    spec: ClipSpec,
    form: str = "keras",
    latency_us: float | None = None,
) -> ClipEvaluation:
    """Figures of probabilities ``[T, K]`` a clip.

    Raises:
        InputError: scores of another number of classes.
    """
    names, background = clips.names, spec.background
    labelled = np.flatnonzero(clips.labels >= 0)
    evaluation = balanced = None
    if spec.head != "every" and len(labelled):
        chosen = clips.take(labelled)
        predicted = np.array([answer(scores[int(i)], names, background) for i in labelled])
        evaluation = score(chosen, predicted, classes=scores[0].shape[1], form=form, latency=latency_us)
        balanced = _balanced(chosen.labels, predicted)
    frames = None
    if spec.head != "last":
        truth = np.concatenate([clip.labels for clip in clips.clips])
        said = np.concatenate([s.argmax(axis=1) for s in scores])
        there = truth >= 0
        if there.any():
            frames = {
                "accuracy": float((said == truth)[there].mean()),
                "balanced": _balanced(truth[there], said[there]),
                "frames": int(there.sum()),
            }
    return ClipEvaluation(evaluation, balanced, frames, _events(scores, clips.clips, names, spec))


def _events(
    scores: Sequence[np.ndarray], clips: Sequence[Clip], names: list[str], spec: ClipSpec
) -> dict[str, Any] | None:
    """Only of whole videos: a clip that is cut to one event has no false alarms to speak of."""
    videos = [(s, clip) for s, clip in zip(scores, clips, strict=True) if clip.frame_labels is not None]
    if not any(clip.truths for _, clip in videos):
        return None
    found = [decode(s, clip.ts_ms, names, spec.background, spec.events) for s, clip in videos]
    hours = hours_of([clip.ts_ms for _, clip in videos])
    return score_events(found, [clip.truths for _, clip in videos], hours, names, spec.background)


def _balanced(labels: np.ndarray, predicted: np.ndarray) -> float:
    """The mean recall of the classes that occur."""
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))


def matched(clips: ClipSet, labels: Sequence[str]) -> ClipSet:
    """The clips with their classes numbered as in ``labels``; a set may hold some of them in any order.

    Raises:
        InputError: a class that is none of the labels.
    """
    if clips.names == list(labels):
        return clips
    to = np.append(class_numbers(clips, labels), UNLABELLED)  # -1 stays -1
    renamed = [
        replace(
            clip,
            label=int(to[clip.label]),
            frame_labels=None if clip.frame_labels is None else to[clip.frame_labels],
            truths=tuple(replace(truth, label=int(to[truth.label])) for truth in clip.truths),
        )
        for clip in clips.clips
    ]
    return ClipSet(renamed, list(labels), clips.name, clips.split, clips.rate, clips.skipped)
