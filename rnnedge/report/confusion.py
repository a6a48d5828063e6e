"""The confusion matrix, of two classes or of a hundred."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.evaluate import Evaluation
from rnnedge.report.canvas import FAINT, Picture, drawable, on_dark, picture, sheet
from rnnedge.report.facts import right

# Up to so many classes a cell holds its count with the row's share, or its count.
BOTH_UP_TO, COUNTS_UP_TO = 12, 24
# Up to so many every class is named at the axes.
NAMES_UP_TO = 40


def confusion(found: Evaluation, labels: list[str], noun: str = "image") -> Picture:
    """The int8 model's matrix: true class by row, called class by column, colour by share of the row.

    What is right is blue and what is wrong orange, each with a scale of its own: else the few errors of a good
    model would be as pale as the empty cells.
    """
    counts = np.array(found.confusion)
    classes = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Beyond that, their numbers in the class table: names cut short would all look the same.
    names = drawable(labels, 14) if classes <= NAMES_UP_TO else [str(i) for i in range(classes)]
    longest = max(map(len, names))
    figure = sheet(5.2 + min(0.06 * longest, 0.8))
    axes = figure.subplots()
    colors = _colors(shares)
    axes.imshow(colors, interpolation="nearest")
    if classes <= COUNTS_UP_TO:
        _annotate(axes, counts, shares, colors)
        axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.2)
    axes.grid(which="major", visible=False)
    axes.tick_params(which="both", length=0)
    every = 1 if classes <= NAMES_UP_TO else -(-classes // 20)
    shown = range(0, classes, every)
    font = 9 if classes <= COUNTS_UP_TO else 7.5
    turned = classes // every * longest > 50
    axes.set_xticks(list(shown), [names[i] for i in shown], fontsize=font, rotation=90 if turned else 0)
    axes.set_yticks(list(shown), [names[i] for i in shown], fontsize=font)
    axes.set_xlabel("called")
    axes.set_ylabel("true")
    for spine in axes.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=0.6)
    worst = mistakes(found, labels)
    told = f"; most often {worst[0][0]} was called {worst[0][1]}, {worst[0][2]} times" if worst else ""
    return picture(
        "confusion",
        figure,
        f"Confusion matrix of the int8 model, {classes} classes: {right(found):,} of "
        f"{found.images:,} {noun}s lie on the diagonal{told}.",
    )


def mistakes(found: Evaluation, labels: list[str], most: int = 8) -> list[tuple[str, str, int, float]]:
    """The most frequent mistakes: true class, called class, count, share of the true class."""
    counts = np.array(found.confusion)
    truth = np.maximum(counts.sum(axis=1), 1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, counts.shape)
    return [
        (labels[i], labels[j], int(counts[i, j]), float(counts[i, j] / truth[i]))
        for i, j in zip(rows, columns, strict=True)
        if counts[i, j]
    ]


def _colors(shares: np.ndarray) -> np.ndarray:
    """RGB ``[K, K, 3]`` for the row shares ``[K, K]``."""
    from matplotlib.colors import LinearSegmentedColormap

    good = LinearSegmentedColormap.from_list("good", ["#eff4fe", "#93b4f8", "#2563eb", "#1e3a8a"])
    bad = LinearSegmentedColormap.from_list("bad", ["#fdeede", "#f2a65a", "#c2410c", "#7c2d12"])
    diagonal = np.eye(len(shares), dtype=bool)
    # A square root lifts the small shares that errors are made of.
    colors = np.where(diagonal[..., None], good(0.75 * shares)[..., :3], bad(np.sqrt(shares))[..., :3])
    colors[(shares == 0) & ~diagonal] = (0.975, 0.977, 0.98)
    return colors


def _annotate(axes: Any, counts: np.ndarray, shares: np.ndarray, colors: np.ndarray) -> None:
    classes = len(counts)
    size = 8.5 if classes <= BOTH_UP_TO else 7
    for i, j in zip(*np.nonzero(counts), strict=True):
        text = f"{counts[i, j]}"
        if classes <= BOTH_UP_TO:
            text += "\nall" if shares[i, j] == 1 else f"\n{100 * shares[i, j]:.1f}%"
        axes.text(
            j, i, text, ha="center", va="center", fontsize=size, color=on_dark(colors[i, j]), linespacing=1.05
        )
