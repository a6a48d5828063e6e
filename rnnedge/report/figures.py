"""The figures that images and clips share: learning curves and ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.report import formats
from rnnedge.report.canvas import (
    ACTIVATIONS,
    FAINT,
    FLOAT,
    INK,
    QAT,
    WEIGHTS,
    Picture,
    drawable,
    picture,
    sheet,
)
from rnnedge.report.places import is_weight, layer_title, words
from rnnedge.report.record import Record

# Layers whose rows would go beyond these stand in the table only.
MAX_ROWS = 90
# Where the widest range is this many times the narrowest, a linear axis would hide the narrow ones.
SYMLOG_FROM = 40.0


def float_curves(run: Record[Any]) -> Picture:
    """Accuracy and loss of the float training, each epoch on ``train`` and ``val``."""
    kept = run.training.best_epoch
    figure = _curves(run.epochs, FLOAT, "Float training")
    top = figure.axes[0]
    for axes in figure.axes:
        axes.axvline(kept, color=INK, linewidth=0.9, linestyle=":", zorder=1)
    top.set_title(
        f"kept: epoch {kept}, {formats.share(run.training.val_accuracy)}",
        loc="right",
        fontsize=9,
        color=FAINT,
    )
    last = run.epochs[-1]
    return picture(
        "float_curves",
        figure,
        f"Learning curves of the float training over {formats.counted(len(run.epochs), 'epoch')}: "
        f"validation accuracy ends at {formats.share(last['val_accuracy'])}, validation loss at "
        f"{formats.real(last['val_loss'])}; the kept model is that of epoch {kept}.",
    )


def qat_curves(run: Record[Any]) -> Picture | None:
    """Accuracy and loss of the quantisation-aware fine-tuning; None where there was none."""
    rows = run.quantization.history
    if not rows:
        return None
    figure = _curves(rows, QAT, "Quantisation-aware fine-tuning")
    last = rows[-1]
    ends = [
        f"{key.replace('_', ' ')} {formats.real(last[key])}"
        for key in ("loss", "accuracy", "val_accuracy", "agreement")
        if key in last
    ]
    if "val_accuracy" in last:
        figure.axes[0].axhline(
            run.training.val_accuracy,
            color=FLOAT,
            linewidth=1.2,
            linestyle=(0, (1, 2)),
            label="float, kept (val)",
            zorder=1,
        )
        _legend(figure.axes[0])
    return picture(
        "qat_curves",
        figure,
        f"Learning curves of the quantisation-aware fine-tuning over "
        f"{formats.counted(len(rows), 'epoch')}, ending at {', '.join(ends)}.",
    )


def _curves(rows: list[dict[str, float]], color: str, title: str) -> Any:
    """Accuracy (or agreement) above loss, training dashed and validation solid; a panel without figures is left out."""
    from matplotlib.ticker import MaxNLocator

    panels = [what for what in ("accuracy", "agreement", "loss") if any(what in row for row in rows)]
    figure = sheet(2.0 * len(panels) + 0.6)
    epochs = [row["epoch"] for row in rows]
    # A line of one epoch has no length: show its points.
    marker = "o" if len(rows) <= 15 else ""
    for axes, what in zip(
        figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0], panels, strict=True
    ):
        for key, name, style in ((what, "train", (0, (4, 2))), (f"val_{what}", "val", "-")):
            values = [row.get(key, np.nan) for row in rows]
            if np.isfinite(values).any():
                strength = 0.65 if name == "train" else 1.0
                axes.plot(
                    epochs,
                    values,
                    color=color,
                    linestyle=style,
                    alpha=strength,
                    marker=marker,
                    markersize=3.5,
                    label=name,
                )
        axes.set_ylabel(what)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.margins(y=0.1)
        _legend(axes)
    figure.axes[0].set_title(title)
    figure.axes[-1].set_xlabel("epoch")
    return figure


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def ranges(run: Record[Any]) -> Picture | None:
    """From lowest to highest value of every quantiser, grouped by layer; None where there is none."""
    rows: list[tuple[str, float, float] | str] = []
    for layer, sites in drawn_layers(run).items():
        rows += [
            layer_title(layer, run.quantization.types),
            *((what, *bounds) for what, bounds in sites.items()),
        ]
    bars = [(at, *row) for at, row in enumerate(rows) if not isinstance(row, str)]
    if not bars:
        return None
    figure = sheet(0.2 * len(rows) + 0.9)
    axes = figure.subplots()
    for weights, color, name in ((True, WEIGHTS, "weights"), (False, ACTIVATIONS, "activations")):
        chosen = [bar for bar in bars if is_weight(bar[1]) == weights]
        if chosen:
            at, _, low, high = zip(*chosen, strict=True)
            # An edge, so that a range of no width is seen, too.
            axes.barh(
                at, np.subtract(high, low), left=low, height=0.6, color=color, edgecolor=color, label=name
            )
        labels = [row if isinstance(row, str) else words(row[0]) for row in rows]
    axes.set_yticks(range(len(rows)), drawable(labels, 26), fontsize=9)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if isinstance(row, str) else "normal")
    axes.use_sticky_edges = False
    axes.margins(x=0.03)
    _axis(axes, [max(abs(low), abs(high)) for *_, low, high in bars])
    axes.axvline(0, color=FAINT, linewidth=0.9, zorder=1)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("value")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    widest = max(bars, key=lambda bar: bar[3] - bar[2])
    return picture(
        "ranges",
        figure,
        f"Ranges of {len(bars)} weight and activation quantisers in {len(rows) - len(bars)} layers; the widest is "
        f"{words(widest[1])}, {formats.real(widest[2])} to {formats.real(widest[3])}.",
    )


def drawn_layers(run: Record[Any]) -> dict[str, dict[str, tuple[float, float]]]:
    """The first layers, as many as a figure can hold."""
    drawn: dict[str, dict[str, tuple[float, float]]] = {}
    rows = 0
    for layer, sites in run.quantization.ranges.items():
        rows += len(sites) + 1
        if drawn and rows > MAX_ROWS:
            break
        drawn[layer] = sites
    return drawn


def _axis(axes: Any, magnitudes: list[float]) -> None:
    """Symmetric-logarithmic where the ranges differ too much for a linear axis."""
    from matplotlib.ticker import FuncFormatter

    found = [m for m in magnitudes if m > 0]
    if not found or max(found) < SYMLOG_FROM * min(found):
        return
    axes.set_xscale("symlog", linthresh=max(min(found), max(found) / 1e4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.real(value)))
    axes.minorticks_off()
