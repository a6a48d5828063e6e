"""The answer: one sentence, four big numbers, and the three models side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rnnedge.evaluate import Evaluation
from rnnedge.report import formats
from rnnedge.report.facts import Evaluations, right
from rnnedge.report.record import Record

ImageRun = Record[Evaluations]


@dataclass(frozen=True)
class Number:
    """One of the big numbers."""

    value: str
    unit: str
    label: str
    note: str


@dataclass(frozen=True)
class Model:
    """A row of the comparison; ``key`` names its colour."""

    name: str
    key: str
    accuracy: str
    right: str
    interval: str
    gap: str
    size: str
    latency: str


def int8_latency(run: ImageRun) -> float | None:
    """Median microseconds an image of the default form, as timed beside the others if it was."""
    form = run.quantization.form
    timed = (
        run.evaluations.latency_us.get(form),
        run.quantization.shipped.latency_us,
        run.evaluations.int8.latency_us,
    )
    return next((value for value in timed if value), None)


def distance(int8: float, float_: float) -> str:
    """``0.83 points fewer than the float model``, of two accuracies."""
    points = formats.points(abs(int8 - float_)).lstrip("+")
    if points == "0.00":
        return "as many as the float model"
    return f"{points} points {'more' if int8 > float_ else 'fewer'} than the float model"


def told_right(found: Evaluation) -> tuple[str, str]:
    """``354 of 359`` and its interval, ``0.9678 to 0.9940``."""
    low, high = map(formats.share, formats.interval(right(found), found.images))
    return f"{formats.count(right(found))} of {formats.count(found.images)}", f"{low} to {high}"


def sentence(run: ImageRun) -> str:
    """The answer."""
    e = run.evaluations
    told = distance(e.int8.accuracy, e.float_.accuracy)
    ratio = e.sizes.float32_tflite / e.sizes.int8_tflite
    file = (
        f"{formats.times(ratio)} times smaller" if ratio >= 1 else f"{formats.times(1 / ratio)} times larger"
    )
    time = int8_latency(run)
    pace = f", at {formats.microseconds(time)} an image" if time else ""
    return (
        f"The int8 model is right on {formats.count(right(e.int8))} of {e.tested} "
        f"({formats.share(e.int8.accuracy)}), {told}, in a file {file}{pace}."
    )


def numbers(run: ImageRun) -> list[Number]:
    """The four big numbers: accuracy, gap, size, time."""
    e = run.evaluations
    sizes = f"{formats.size(e.sizes.int8_tflite)} instead of {formats.size(e.sizes.float32_tflite)}"
    ratio = e.sizes.float32_tflite / e.sizes.int8_tflite
    smaller = (formats.times(ratio), "smaller") if ratio >= 1 else (formats.times(1 / ratio), "larger")
    time, _, unit = formats.microseconds(int8_latency(run)).partition(" ")
    gap = formats.points(e.int8.accuracy - e.float_.accuracy)
    return [
        Number(formats.share(e.int8.accuracy), "", "int8 accuracy", e.tested),
        Number(gap, "points", "int8 against float", f"float: {formats.share(e.float_.accuracy)}"),
        Number(smaller[0], "×", f"{smaller[1]} than float32", sizes),
        Number(time, unit, "an image", f"form “{run.quantization.form}”, one thread"),
    ]


def models(run: ImageRun) -> list[Model]:
    """Float, QAT and int8."""
    e = run.evaluations
    rows = (
        ("float", "float", e.float_, e.sizes.float32_tflite, e.float_latency),
        ("QAT", "qat", e.qat, None, None),
        (f"int8, {run.quantization.form}", "int8", e.int8, e.sizes.int8_tflite, int8_latency(run)),
    )
    return [
        Model(
            name,
            key,
            formats.share(found.accuracy),
            *told_right(found),
            formats.NOTHING if found is e.float_ else formats.points(found.accuracy - e.float_.accuracy),
            formats.size(size),
            formats.microseconds(time),
        )
        for name, key, found, size, time in rows
    ]


def agreement(run: ImageRun) -> list[tuple[str, str]]:
    """How closely each model stands for the one before it."""
    e = run.evaluations
    return [
        (f"int8 and QAT give the same class on the {e.tested}", formats.percent(e.agreement)),
        ("largest difference of an int8 output from QAT", f"{formats.count(e.max_lsb)} LSB"),
        *parity(run, "image"),
    ]


def parity(run: Record[Any], noun: str) -> list[tuple[str, str]]:
    """What the export measured on training data."""
    found, rows = run.quantization.parity, []
    if "int8_equal" in found:
        samples = formats.counted(int(found.get("int8_samples", 0)), f"training {noun}")
        rows.append((f"int8 outputs equal to QAT’s, on {samples}", formats.percent(found["int8_equal"])))
    if "int8_repeatable" in found:
        rows.append(
            ("the same input twice gives the same output", "yes" if found["int8_repeatable"] else "NO")
        )
    if "twin_max_abs" in found:
        rows.append(
            ("largest difference of the tf_keras twin from Keras 3", formats.real(found["twin_max_abs"]))
        )
    return rows
