"""A caption run's answer: how good int8's sentences are beside the float model's, and how often they are the same."""

from __future__ import annotations

from dataclasses import dataclass

from rnnedge.report import formats
from rnnedge.report.answer import Number
from rnnedge.report.caption_facts import CaptionEvaluations, CaptionFigures
from rnnedge.report.record import Record

CaptionRun = Record[CaptionEvaluations]

NAMES = {"float": "float", "qat": "QAT", "int8": "int8", "float_beam": "float", "int8_beam": "int8"}


@dataclass(frozen=True)
class CaptionRow:
    """A row of the comparison; ``key`` names its colour, ``scenes`` are attributes, exact and grammar or nothing."""

    name: str
    key: str
    bleu: tuple[str, ...]
    rouge: str
    cider: str
    scenes: tuple[str, ...]
    images: str


def sentence(run: CaptionRun) -> str:
    """The answer."""
    e = run.evaluations
    ratio, comparison = smaller(e)
    return (
        f"{_quality(e)}. It says the float model’s very sentence for {formats.percent(e.same_as_float)} of them, "
        f"from a file {ratio} times {comparison} than the float weights, in {formats.microseconds(e.int8.sentence_us)} "
        "an image."
    )


def _quality(e: CaptionEvaluations) -> str:
    int8, float_ = e.int8, e.float_
    if int8.scenes and float_.scenes:
        told, before = int8.scenes.attributes, float_.scenes.attributes
        points = formats.points(abs(told - before)).lstrip("+")
        gap = (
            "as many as"
            if points == "0.00"
            else f"{points} points {'more' if told > before else 'fewer'} than"
        )
        return (
            f"The int8 model’s sentences have {formats.percent(told)} of the attributes of {e.tested} right, {gap} "
            "the float model’s"
        )
    return (
        f"The int8 model’s sentences on {e.tested} score BLEU-4 {formats.share(int8.bleu_4)} and CIDEr-D "
        f"{formats.share(int8.cider_d)}; the float model’s, {formats.share(float_.bleu_4)} and "
        f"{formats.share(float_.cider_d)}"
    )


def smaller(e: CaptionEvaluations) -> tuple[str, str]:
    """``("3.6", "smaller")``: the int8 file against the float weights."""
    ratio = e.sizes.float32_tflite / e.sizes.int8_tflite
    return (formats.times(ratio), "smaller") if ratio >= 1 else (formats.times(1 / ratio), "larger")


def numbers(run: CaptionRun) -> list[Number]:
    """The four big numbers: two of quality, size, time."""
    e = run.evaluations
    ratio, comparison = smaller(e)
    sizes = f"{formats.size(e.sizes.int8_tflite)} instead of {formats.size(e.sizes.float32_tflite)}"
    time, _, unit = formats.microseconds(e.int8.sentence_us).partition(" ")
    pace = f"{formats.microseconds(e.int8.encode_us)} to encode, {formats.microseconds(e.int8.step_us)} a decode step"
    return [
        *_two(e),
        Number(ratio, "×", f"{comparison} than float32", sizes),
        Number(time, unit, "a sentence", pace),
    ]


def _two(e: CaptionEvaluations) -> list[Number]:
    int8, float_ = e.int8, e.float_
    if int8.scenes and float_.scenes:
        told, before = int8.scenes.attributes, float_.scenes.attributes
        return [
            Number(formats.share(told), "", "attributes right in int8", e.tested),
            Number(
                formats.points(told - before),
                "points",
                "int8 against float",
                f"float: {formats.share(before)}",
            ),
        ]
    return [
        Number(formats.share(int8.bleu_4), "", "BLEU-4 in int8", f"float: {formats.share(float_.bleu_4)}"),
        Number(formats.share(int8.cider_d), "", "CIDEr-D in int8", f"float: {formats.share(float_.cider_d)}"),
    ]


def models(run: CaptionRun) -> list[CaptionRow]:
    """Float, QAT and int8, and float and int8 with a wider beam where that was measured."""
    return [_row(key, found) for key, found in run.evaluations.models.items()]


def _row(key: str, found: CaptionFigures) -> CaptionRow:
    s = found.scenes
    return CaptionRow(
        NAMES[key] + (f", beam {found.beam}" if key.endswith("_beam") else ""),
        key.removesuffix("_beam"),
        tuple(map(formats.share, found.bleu)),
        formats.share(found.rouge_l),
        formats.share(found.cider_d),
        tuple(map(formats.share, (s.attributes, s.exact, s.grammar))) if s else (),
        formats.count(found.images),
    )


def agreement(run: CaptionRun) -> list[tuple[str, str]]:
    """How closely each model stands for the one before it: on the test images, then on the training images."""
    e, found = run.evaluations, run.quantization.parity
    test = f"word for word, on the {e.tested}"
    rows = [
        (f"int8 says the sentence of QAT, the trained model, {test}", formats.percent(e.same_captions)),
        (f"int8 says the float model’s sentence, {test}", formats.percent(e.same_as_float)),
        ("int8 chooses QAT’s next word, each behind QAT’s own words", formats.percent(e.token_agreement)),
    ]  # fmt: skip
    words = formats.counted(int(found.get("int8_words", 0)), "word")
    for key, what, shown in (
        ("int8_top1", f"the same on training images, {words}", formats.percent),
        ("int8_equal", "logits of int8 equal to QAT’s there", formats.percent),
        ("int8_max_lsb", "largest difference of a logit there", lambda v: f"{formats.count(int(v))} LSB"),
        ("int8_noise", "root mean square of the difference, of the logits’ spread", formats.percent),
        ("twin_max_abs", "largest difference of the encoder’s tf_keras twin from Keras 3", formats.real),
    ):
        if isinstance(found.get(key), int | float):
            rows.append((what, shown(found[key])))
    return rows
