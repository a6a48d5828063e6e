"""Filmstrips: a clip's pictures over what it is, what int8 called it, and the score of each class along time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from rnnedge.report.canvas import BAD, FAINT, GRID, INK, WIDTH, Picture, drawable, picture, sheet
from rnnedge.report.clip_answer import ClipRun
from rnnedge.report.clip_facts import Film
from rnnedge.report.record import damaged
from rnnedge.report.samples import decoded

MOST = 10
# What is labelled, what was called and what was nearly called has a colour, while there are some left.
NEARLY = 0.25
# Okabe and Ito's, without yellow, which is not seen on white: told apart by people who see colours differently.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
OTHER = "#c3c9d2"
# Inches: margin left of the axes, the highest picture, a bar, the chart.
LEFT, PICTURE, BAR, CHART = 0.62, 0.62, 0.15, 1.25


@dataclass(frozen=True)
class Shown:
    """A film on the page, with its pictures grey ``[H, W]`` or RGB ``[H, W, 3]``."""

    film: Film
    images: tuple[np.ndarray, ...]


def choose(run: ClipRun) -> list[Shown]:
    """The wrong ones first, the surest mistake leading.

    Raises:
        InputError: a picture is not a PNG in base64.
    """
    numbered = list(enumerate(run.evaluations.samples))
    numbered.sort(key=lambda item: (not item[1].wrong, -max(item[1].scores[-1]) if item[1].wrong else 0))
    return [_shown(run, index, film) for index, film in numbered[:MOST]]


def _shown(run: ClipRun, index: int, film: Film) -> Shown:
    images = []
    for at, (_, text) in enumerate(film.pictures):
        image = decoded(text)
        if image is None:
            where = f"samples.{index}.pictures.{at} ({film.id})"
            raise damaged(run.folder / "evaluation.json", f"{where}: is not an 8-bit PNG in base64")
        images.append(image[..., ::-1] if image.ndim == 3 else image)
    return Shown(film, tuple(images))


def name(number: int) -> str:
    """The name of the figure of the film that is shown at that place, from 1."""
    return f"film_{number}"


def draw(shown: Shown, number: int, labels: list[str], background: str = "") -> Picture:
    """One film, as wide as any figure; time runs through all its rows alike. The ``background`` has no bar."""
    film = shown.film
    colors = _colors(film, labels, background)
    ts = np.array(film.ts_ms) / 1000
    half = _half_step(ts, len(shown.images))
    begin, end = float(ts[0]) - half, float(ts[-1]) + half
    width = WIDTH - LEFT
    cell = width / len(shown.images)
    tallest = max(image.shape[0] / image.shape[1] for image in shown.images)
    strip = min(PICTURE, cell * tallest)
    heights = [CHART, BAR, BAR, strip]
    figure = sheet(sum(heights) + 0.06 * 3)
    figure.set_layout_engine("none")
    total, bottom, rows = figure.get_figheight(), 0.0, []
    for height in heights:
        rows.append(figure.add_axes((LEFT / WIDTH, bottom / total, width / WIDTH, height / total)))
        bottom += height + 0.06
        rows[-1].set_xlim(begin, end)
    chart, called, truth, pictures = rows
    _strip(pictures, shown.images, half, strip / width * (end - begin))
    _bars(truth, "true", [(a / 1000, b / 1000, label) for a, b, label in film.truths], colors)
    runs = _runs(film, labels, ts)
    _bars(called, "int8", [run for run in runs if run[2] != background], colors)
    _chart(chart, film, labels, ts, colors)
    _title(pictures, film, labels)
    return picture(name(number), figure, _alt(film, len(shown.images)))


def _half_step(ts: np.ndarray, pictures: int) -> float:
    """Half the time between two pictures: with it at both ends, pictures touch and yet stand at their times."""
    span = float(ts[-1] - ts[0])
    return span / (2 * (pictures - 1)) if span and pictures > 1 else 0.5


def _colors(film: Film, labels: list[str], background: str) -> dict[str, str]:
    """The classes that matter in this film, each in a colour of its own in all films, or the next that is free."""
    scores = np.array(film.scores)
    called = np.bincount(scores.argmax(axis=1), minlength=len(labels))
    rank = np.where(
        called, called + 1, scores.max(axis=0)
    )  # those called, the longest first, then the highest
    ordered = [label for *_, label in film.truths] + [film.label, film.int8, film.float_]
    ordered += [labels[i] for i in np.argsort(-rank, kind="stable") if rank[i] >= NEARLY]
    chosen = [label for label in dict.fromkeys(ordered) if label and label != background][: len(PALETTE)]
    colors: dict[str, str] = {}
    for label in chosen:
        own = labels.index(label)
        turns = (PALETTE[(own + turn) % len(PALETTE)] for turn in range(len(PALETTE)))
        colors[label] = next(color for color in turns if color not in colors.values())
    return colors


def _strip(axes: Any, images: tuple[np.ndarray, ...], half: float, height: float) -> None:
    """The pictures at equal distances; ``height`` is the strip's in seconds of the axis."""
    left, right = axes.get_xlim()
    for number, image in enumerate(images):
        center = left + half * (2 * number + 1)
        side = 0.97 * min(half, height * image.shape[1] / image.shape[0] / 2)
        axes.imshow(
            image,
            cmap="gray",
            vmin=0,
            vmax=255,
            extent=(center - side, center + side, 0, 1),
            aspect="auto",
            interpolation="nearest",
        )
    axes.set_xlim(left, right)
    axes.set_ylim(0, 1)
    axes.axis("off")


def _runs(film: Film, labels: list[str], ts: np.ndarray) -> list[tuple[float, float, str]]:
    """What int8 called each frame: from, to (s) and the class, one for each run of frames alike."""
    called = np.array(film.scores).argmax(axis=1)
    step = float(np.median(np.diff(ts))) if len(ts) > 1 else 0.0
    ends = np.append(ts[1:], ts[-1] + step)
    runs = []
    for index, group in groupby(range(len(ts)), key=lambda i: int(called[i])):
        frames = list(group)
        runs.append((float(ts[frames[0]]), float(ends[frames[-1]]), labels[index]))
    return runs


def _bars(axes: Any, title: str, spans: list[tuple[float, float, str]], colors: dict[str, str]) -> None:
    for begin, end, label in spans:
        axes.barh(
            0,
            end - begin,
            left=begin,
            height=1,
            color=colors.get(label, OTHER),
            edgecolor="white",
            linewidth=0.8,
        )
    axes.set_ylim(-0.5, 0.5)
    axes.set_yticks([0], [title], fontsize=8.5)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_facecolor("#f4f5f7")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _chart(axes: Any, film: Film, labels: list[str], ts: np.ndarray, colors: dict[str, str]) -> None:
    marker = "o" if len(ts) <= 40 else ""
    names = dict(zip(labels, drawable(labels), strict=True))
    scores = np.array(film.scores)
    for index, label in enumerate(labels):
        if label not in colors:
            axes.plot(ts, scores[:, index], color=OTHER, linewidth=0.9, zorder=1.5)
    for label, color in colors.items():
        axes.plot(
            ts,
            scores[:, labels.index(label)],
            color=color,
            marker=marker,
            markersize=2.8,
            label=names[label],
            zorder=2.5,
        )
    if len(colors) < len(labels):
        axes.plot([], [], color=OTHER, linewidth=0.9, label="others")
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8.5)
    axes.set_ylabel("score", fontsize=8.5)
    axes.tick_params(axis="x", labelsize=8.5, color=GRID)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.10g} s")
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.01, -0.16),
        ncols=4,
        borderaxespad=0,
        handlelength=1.2,
        columnspacing=1.1,
        handletextpad=0.5,
        fontsize=8.5,
    )


def _title(axes: Any, film: Film, labels: list[str]) -> None:
    names = dict(zip(labels, drawable(labels, 20), strict=True))
    if film.label is not None and film.int8 is not None:
        title = f"{names[film.label]} → {names[film.int8]}" if film.wrong else names[film.label]
        axes.set_title(title, fontsize=10, fontweight="bold", color=BAD if film.wrong else INK)
    tail = film.id if len(film.id) <= 44 else "…" + film.id[-43:]
    other = "" if film.float_ in (film.int8, None) else f"float: {names[film.float_]} · "
    axes.set_title(other + drawable([tail], 44)[0], fontsize=8, color=FAINT, loc="right")


def _alt(film: Film, pictures: int) -> str:
    what = "a video of events"
    if film.label is not None:
        what = f"a {film.label}, {'wrongly' if film.wrong else 'rightly'} called {film.int8}"
    return (
        f"Film of {film.id}: {what}; {pictures} pictures over the score of each class at {len(film.ts_ms)} frames, "
        f"{film.ts_ms[0] / 1000:.1f} to {film.ts_ms[-1] / 1000:.1f} s."
    )
