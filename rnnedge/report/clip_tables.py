"""A clip run's own tables: events, and what the model assumes about time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rnnedge.report import formats
from rnnedge.report.clip_answer import NAMES, ClipRun
from rnnedge.report.clip_facts import EventFigures


@dataclass(frozen=True)
class EventRow:
    """A model's or a class's events; ``key`` names its colour."""

    name: str
    key: str
    precision: str
    recall: str
    f1: str
    delay: str
    false_alarms: str
    events: str
    detections: str


def events(run: ClipRun) -> list[EventRow]:
    """The events of each model; empty where the videos hold none."""
    found = {key: scores.events for key, scores in run.evaluations.models.items()}
    return _rows((NAMES[key], key, figures) for key, figures in found.items() if figures)


def event_classes(run: ClipRun) -> list[EventRow]:
    """The int8 model's events of each class."""
    found = run.evaluations.int8.events
    return _rows((label, "", figures) for label, figures in found.classes.items()) if found else []


def _rows(figures: Iterable[tuple[str, str, EventFigures]]) -> list[EventRow]:
    return [
        EventRow(
            name,
            key,
            formats.share(found.precision),
            formats.share(found.recall),
            formats.share(found.f1),
            formats.milliseconds(found.delay_ms),
            formats.tenths(found.false_alarms_per_hour),
            formats.count(found.events),
            formats.count(found.detections),
        )
        for name, key, found in figures
    ]


def time(run: ClipRun) -> list[tuple[str, str]]:
    """What the bundle's stream does over time, as terms and values."""
    clip = run.recipe.clip
    every = f" (one in {clip.stride} of {_number(clip.fps)})" if clip.stride > 1 else ""
    return [
        (
            "model rate",
            f"{_number(run.evaluations.rate)} frames a second{every}, picked by their timestamps: a camera of any "
            "faster rate gives the same answer",
        ),
        ("answer", _answer(run)),
        ("state", f"carried from frame to frame; {_resets(run)}"),
        ("scene cut", _scene_cut(run)),
        ("events", _rules(run)),
        (
            "sequence signature",
            f"{clip.length} frames at once ({clip.length / run.evaluations.rate:.1f} s), for clips from a file",
        ),
    ]


def _number(value: float) -> str:
    return f"{value:.3g}"


def _answer(run: ClipRun) -> str:
    told = {
        "last": "the best class at a clip’s last frame",
        "every": "a class at every frame",
        "both": "a class at every frame, and the one at its last frame for a whole clip",
    }[run.evaluations.head]
    background = run.recipe.clip.background
    return told + (f"; “{background}” is what no event covers" if background else "")


def _resets(run: ClipRun) -> str:
    gap = formats.milliseconds(run.recipe.clip.max_gap_ms)
    cut = ", at a scene cut" if run.evaluations.scene_cut.threshold else ""
    return f"reset at the start, after a gap of more than {gap}{cut}, and on demand"


def _scene_cut(run: ClipRun) -> str:
    found = run.evaluations.scene_cut
    if found.false_rate is None or found.hit_rate is None:
        return "no detector: " + (
            "too few frames to measure one" if run.recipe.clip.scene_cut else "the recipe wants none"
        )
    measured = (
        f"{formats.percent(found.false_rate)} of {formats.count(found.within)} steps within a clip and "
        f"{formats.percent(found.hit_rate)} of {formats.count(found.between)} joins of two clips (val)"
    )
    if found.threshold is None:
        return f"no detector: steps and cuts look too much alike; the best threshold would be crossed by {measured}"
    return f"a mean change of grey above {formats.real(found.threshold)} of 1, which is crossed by {measured}"


def _rules(run: ClipRun) -> str:
    r = run.evaluations.rules
    smooth = (
        f"scores smoothed over {formats.milliseconds(r.smooth_ms)}" if r.smooth_ms else "scores as they are"
    )
    chosen = "as in the recipe"
    if r.tuned:
        chosen = "chosen on val" + (f", F1 {formats.share(r.val.f1)} there" if r.val else "")
    return (
        f"{smooth}; on from {_number(r.on)}, off below {_number(r.off)}, told after {formats.milliseconds(r.min_ms)}, "
        f"then {formats.milliseconds(r.refractory_ms)} of rest for the same label ({chosen})"
    )
