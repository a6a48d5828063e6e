"""A clip run's answer: what the models with a memory know, what one frame alone tells, and how a stream holds."""

from __future__ import annotations

from dataclasses import dataclass

from rnnedge.report import formats
from rnnedge.report.answer import Number, distance, parity, told_right
from rnnedge.report.clip_facts import ClipEvaluations, ClipScores
from rnnedge.report.facts import right
from rnnedge.report.record import Record

ClipRun = Record[ClipEvaluations]

NAMES = {"float": "float", "qat": "QAT", "int8": "int8", "memoryless": "without memory"}


@dataclass(frozen=True)
class ClipModelRow:
    """A row of the comparison; ``key`` names its colour. What was not measured is a dash."""

    name: str
    key: str
    accuracy: str
    balanced: str
    right: str
    interval: str
    frames: str
    frames_balanced: str
    gap: str


def faster(run: ClipRun) -> str:
    """How many times cheaper a step is than its window run anew."""
    return formats.times(run.evaluations.window_us / run.evaluations.step_us)


def sentence(run: ClipRun) -> str:
    """The answer."""
    e = run.evaluations
    found = e.int8.clips
    # Whole videos have no class of their own: there a frame is what is right or wrong.
    told = f"{formats.percent(e.int8.accuracy)} of {e.tested}"
    if found:
        told = f"{formats.count(right(found))} of {e.tested} ({formats.share(found.accuracy)})"
    gap = distance(e.int8.accuracy, e.float_.accuracy)
    return (
        f"The int8 model is right on {told}, {gap}, at {formats.microseconds(e.step_us)} a frame: "
        f"with its state carried, {faster(run)} times cheaper than running the last {e.window} frames anew."
    )


def numbers(run: ClipRun) -> list[Number]:
    """The four big numbers: accuracy, gap, what tells best why there is a memory, time."""
    e = run.evaluations
    time, _, unit = formats.microseconds(e.step_us).partition(" ")
    gap = formats.points(e.int8.accuracy - e.float_.accuracy)
    return [
        Number(formats.share(e.int8.accuracy), "", "int8 accuracy", e.tested),
        Number(gap, "points", "int8 against float", f"float: {formats.share(e.float_.accuracy)}"),
        _third(e),
        Number(time, unit, "a frame", f"{faster(run)} times cheaper than {e.window} frames anew"),
    ]


def _third(e: ClipEvaluations) -> Number:
    if e.int8.events:
        found = e.int8.events
        note = f"{formats.counted(found.events, 'event')}, {formats.tenths(found.false_alarms_per_hour)} false alarms/h"
        return Number(formats.share(found.f1), "", "F1 of events", note)
    if e.single_frame:
        return Number(
            formats.share(e.single_frame.accuracy), "", "from a single frame", "same model, no memory"
        )
    size, _, unit = formats.size(e.size_bytes).partition(" ")
    return Number(size, unit, "int8 .tflite", "step and sequence in one file")


def models(run: ClipRun) -> list[ClipModelRow]:
    """Float, QAT, int8, and the same model without a memory where it was trained."""
    e = run.evaluations
    return [_row(key, found, e.float_.accuracy) for key, found in e.models.items()]


def _row(key: str, found: ClipScores, reference: float) -> ClipModelRow:
    nothing = formats.NOTHING
    shown, interval = told_right(found.clips) if found.clips else (nothing, nothing)
    return ClipModelRow(
        NAMES[key],
        key,
        formats.share(found.clips.accuracy) if found.clips else nothing,
        formats.share(found.balanced) if found.balanced is not None else nothing,
        shown,
        interval,
        formats.share(found.frames.accuracy) if found.frames else nothing,
        formats.share(found.frames.balanced) if found.frames else nothing,
        nothing if key == "float" else formats.points(found.accuracy - reference),
    )


def one_frame(run: ClipRun) -> str:
    """What a single frame tells, in words; empty where it was not measured."""
    e = run.evaluations
    alone = e.single_frame
    if alone is None or not e.int8.clips:
        return ""
    rows = [sum(row) for row in e.int8.clips.confusion]
    guess = max(rows) / sum(rows)
    # Half-way between guessing and knowing is where a frame begins to tell.
    blind = alone.accuracy < (guess + e.int8.accuracy) / 2
    verdict = "A single frame cannot tell." if blind else "Much can be told from a single frame."
    return (
        f"{verdict} The same model without its memory, trained on every frame, is right on "
        f"{formats.percent(alone.accuracy)} of {formats.counted(alone.frames, 'frame')} (clips’ first or last frames: "
        f"{formats.percent(alone.best_frame)}); always saying the most frequent class would be right on "
        f"{formats.percent(guess)}. With its memory the int8 model is right on "
        f"{formats.percent(e.int8.accuracy)} of the clips."
    )


def agreement(run: ClipRun) -> list[tuple[str, str]]:
    """How closely one model stands for the other, and the stream for the batch."""
    e = run.evaluations
    same = e.stream_equals_batch
    over = f"over {formats.counted(same.frames, 'frame')}"
    return [
        (
            f"int8, frame by frame against the sequence signature: largest difference {over}",
            _difference(same.max_abs),
        ),
        (
            f"float, frame by frame against the whole clip at once: largest difference {over}",
            _difference(same.float_max_abs),
        ),
        ("int8 and QAT give the same class, of all test frames", formats.percent(e.agreement)),
        *parity(run, "clip"),
    ]


def _difference(value: float) -> str:
    return formats.real(value) if value else "0, equal to the bit"
