"""``Content``: what goes on a page; an image run's, a clip run's, a caption run's, and what all have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rnnedge.evaluate import Evaluation
from rnnedge.report import (
    answer,
    caption_answer,
    caption_tables,
    clip_answer,
    clip_tables,
    figures,
    films,
    looks,
    samples,
    sentences,
    tables,
    timing,
)
from rnnedge.report.canvas import Picture
from rnnedge.report.confusion import confusion, mistakes
from rnnedge.report.facts import right
from rnnedge.report.record import Record

# More classes than this, and the page shows the weakest with the whole table behind a click.
LONG_TABLE = 20


@dataclass(frozen=True)
class Content:
    """A page before it is drawn.

    Attributes:
        template: its file.
        values: what the template shows.
        figures: functions that draw them, in look(); None where there is nothing to show.
    """

    template: str
    values: dict[str, Any]
    figures: Sequence[Callable[[], Picture | None]]


def content(run: Record[Any]) -> Content:
    """The page of a run, by its task."""
    pages: dict[str, Callable[[Record[Any]], Content]] = {"clips": clips, "captions": captions}
    return pages.get(run.recipe.task, images)(run)


def images(run: answer.ImageRun) -> Content:
    """An image run's."""
    e = run.evaluations
    shown = samples.choose(run)
    return Content(
        "images.html",
        {
            **_shared(run, "image"),
            **_classes(e.int8, e.float_, e.labels),
            "accuracy": e.int8.accuracy,
            "sentence": answer.sentence(run),
            "numbers": answer.numbers(run),
            "models": answer.models(run),
            "agreement": answer.agreement(run),
            "samples": shown,
        },
        (
            *_curves(run),
            partial(confusion, e.int8, e.labels),
            partial(samples.contact_sheet, shown),
            partial(timing.latency, run),
            partial(figures.ranges, run),
        ),
    )


def clips(run: clip_answer.ClipRun) -> Content:
    """A clip run's."""
    e = run.evaluations
    shown = films.choose(run)
    int8, float_ = e.int8.clips, e.float_.clips
    return Content(
        "clips.html",
        {
            **_shared(run, "clip"),
            **(_classes(int8, float_, e.labels) if int8 and float_ else {"classes": []}),
            "accuracy": e.int8.accuracy,
            "sentence": clip_answer.sentence(run),
            "numbers": clip_answer.numbers(run),
            "models": clip_answer.models(run),
            "one_frame": clip_answer.one_frame(run),
            "agreement": clip_answer.agreement(run),
            "faster": clip_answer.faster(run),
            "events": clip_tables.events(run),
            "event_classes": clip_tables.event_classes(run),
            "time": clip_tables.time(run),
            "films": [films.name(number) for number in range(1, len(shown) + 1)],
            "films_wrong": sum(item.film.wrong for item in shown),
        },
        (
            *_curves(run),
            *([partial(confusion, int8, e.labels, "clip")] if int8 else []),
            *(
                partial(films.draw, item, number, e.labels, run.recipe.clip.background)
                for number, item in enumerate(shown, start=1)
            ),
            partial(timing.frame_cost, run),
            partial(figures.ranges, run),
        ),
    )


def captions(run: caption_answer.CaptionRun) -> Content:
    """A caption run's."""
    shown = sentences.choose(run)
    return Content(
        "captions.html",
        {
            **_shared(run, "image"),
            "classes": [],
            "sentence": caption_answer.sentence(run),
            "numbers": caption_answer.numbers(run),
            "models": caption_answer.models(run),
            "agreement": caption_answer.agreement(run),
            "samples": shown,
            "looks": looks.choose(run, shown),
            "signatures": caption_tables.signatures(run),
            "searching": caption_tables.searching(run),
        },
        (
            *_curves(run),
            partial(timing.sentence_cost, run),
            partial(figures.ranges, run),
        ),
    )


def _shared(run: Record[Any], noun: str) -> dict[str, Any]:
    return {
        "run": run,
        "evaluations": run.evaluations,
        "noun": noun,
        "forms": tables.forms(run),
        "ranges": tables.ranges(run),
        "drawn": len(figures.drawn_layers(run)),
        "audits": tables.audits(run),
        "making": tables.making(run, noun),
        "commands": tables.commands(run),
    }


def _classes(int8: Evaluation, float_: Evaluation, labels: list[str]) -> dict[str, Any]:
    rows = tables.classes(int8, float_, labels)
    return {
        "classes": rows,
        "weakest": tables.weakest(int8, rows) if len(rows) > LONG_TABLE else [],
        "mistakes": mistakes(int8, labels),
        "wrong": int8.images - right(int8),
    }


def _curves(run: Record[Any]) -> tuple[Callable[[], Picture | None], ...]:
    return partial(figures.float_curves, run), partial(figures.qat_curves, run)
