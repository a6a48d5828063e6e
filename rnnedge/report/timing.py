"""What an answer costs, as bars: an image model's forms; a clip model's step and window; a captioner's sentence."""

from __future__ import annotations

from rnnedge.report import formats
from rnnedge.report.answer import ImageRun
from rnnedge.report.canvas import FLOAT, INT8, Picture, drawable, picture, sheet
from rnnedge.report.caption_answer import CaptionRun
from rnnedge.report.clip_answer import ClipRun
from rnnedge.report.facts import FLOAT_FORM


def latency(run: ImageRun) -> Picture | None:
    """Microseconds an image of each form, with its file's size; None where nothing was timed."""
    measured = sorted(run.evaluations.latency_us.items(), key=lambda item: item[1])
    if not measured:
        return None
    default = run.quantization.form
    return _bars(
        [
            (name + (" (default)" if name == default else ""), formats.size(form_size(run, name)), value)
            for name, value in measured
        ],
        "median µs an image, one thread (shorter is better)",
        [INT8 if name == default else FLOAT for name, _ in measured],
        "Median time an image of each form, fastest first: "
        + ", ".join(f"{name} {formats.microseconds(value)}" for name, value in measured)
        + ".",
    )


def form_size(run: ImageRun, name: str) -> int | None:
    """The file size of what ``evaluation.json`` timed under ``name``."""
    if name in run.quantization.forms:
        return run.quantization.forms[name].size_bytes
    return run.evaluations.sizes.float32_tflite if name == FLOAT_FORM else None


def frame_cost(run: ClipRun) -> Picture:
    """Microseconds a frame: one step with the state carried, and the whole window run anew."""
    e = run.evaluations
    step, window = formats.microseconds(e.step_us), formats.microseconds(e.window_us)
    return _bars(
        [("one step", "state carried", e.step_us), (f"{e.window} frames", "run anew", e.window_us)],
        "median µs a frame, one thread (shorter is better)",
        [INT8, FLOAT],
        f"Median time a frame: {step} for one step with the state carried, {window} for a window of {e.window} "
        "frames run anew.",
    )


def sentence_cost(run: CaptionRun) -> Picture:
    """Microseconds of the int8 captioner: the encoder, a step of the decoder, a sentence by each search."""
    e = run.evaluations
    rows = [
        ("encode", "once an image", e.int8.encode_us),
        ("decode step", "once a word", e.int8.step_us),
        ("sentence", "greedy, encode included", e.int8.sentence_us),
    ]
    if e.int8_beam:
        rows.append(("sentence", f"beam {e.int8_beam.beam}, encode included", e.int8_beam.sentence_us))
    told = ", ".join(f"{name} ({note}) {formats.microseconds(value)}" for name, note, value in rows)
    return _bars(
        rows,
        "median µs in int8, one thread (shorter is better)",
        [FLOAT, FLOAT, *[INT8] * (len(rows) - 2)],
        f"Median times of the int8 captioner: {told}.",
    )


def _bars(rows: list[tuple[str, str, float]], axis: str, colors: list[str], alt: str) -> Picture:
    """Bars of microseconds, each with its name, a line below it and its colour."""
    names, notes, values = zip(*rows, strict=True)
    figure = sheet(0.42 * len(rows) + 0.9)
    axes = figure.subplots()
    bars = axes.barh(range(len(rows)), values, color=colors, height=0.62)
    axes.bar_label(bars, [formats.microseconds(value) for value in values], padding=4)
    labels = [f"{name}\n{note}" for name, note in zip(drawable(list(names), 28), notes, strict=True)]
    axes.set_yticks(range(len(rows)), labels, linespacing=1.1, fontsize=9)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, max(values) * 1.18)
    axes.set_xlabel(axis)
    return picture("latency", figure, alt)
