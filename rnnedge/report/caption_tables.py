"""A caption run's own tables: the two signatures, and how sentences are searched for."""

from __future__ import annotations

from dataclasses import dataclass

from rnnedge.report import formats
from rnnedge.report.caption_answer import CaptionRun
from rnnedge.report.caption_facts import SIGNATURES, CaptionQuantization


@dataclass(frozen=True)
class SignatureRow:
    """One signature of the file: what it costs at work (with the device's code around it) and by itself."""

    name: str
    how_often: str
    at_work: str
    alone: str
    macs: str
    operators: str
    audit: str


def signatures(run: CaptionRun) -> list[SignatureRow]:
    """``encode`` and ``decode``."""
    e = run.evaluations
    work = {"encode": ("once an image", e.int8.encode_us), "decode": ("once a word", e.int8.step_us)}
    alone = {form.name: form.latency_us for form in run.bundle.forms} if run.bundle else {}
    rows = []
    for name in SIGNATURES:
        audit, (how_often, time) = run.quantization.forms[name].audit, work[name]
        rows.append(
            SignatureRow(
                name,
                how_often,
                formats.microseconds(time),
                formats.microseconds(alone.get(name)),
                formats.count(audit.macs),
                formats.count(sum(audit.ops.values())),
                "passed" if audit.passed else "FAILED",
            )
        )
    return rows


def searching(run: CaptionRun) -> list[tuple[str, str]]:
    """From image to sentence, as terms and values."""
    caption = run.recipe.caption
    rule = (
        f"no {caption.no_repeat} words in the same order twice" if caption.no_repeat else "words may repeat"
    )
    beam = "the best word at each step (greedy)"
    if caption.beam > 1:
        beam = (
            f"{caption.beam} sentences side by side (beam), scored by log-probability / "
            f"words^{caption.length_penalty:g}; tables name the beam, or take the best word at each step (greedy)"
        )
    cut = ", at once after a scene cut" if caption.scene_cut else ""
    return [
        *_model(run),
        ("search", f"{beam}; at most {formats.counted(caption.length, 'word')}; {rule}"),
        ("live", f"a new sentence at latest every {formats.milliseconds(caption.interval_ms)}{cut}"),
        (
            "size",
            f"{formats.size(run.evaluations.sizes.int8_tflite)} of .tflite with both signatures; in float32 "
            f"{formats.size(run.evaluations.sizes.float32_tflite)}",
        ),
    ]


def _model(run: CaptionRun) -> list[tuple[str, str]]:
    found = run.quantization
    assert isinstance(found, CaptionQuantization)
    d = found.decoder
    enters = {
        "first": "the image comes as the first word",
        "state": "the image sets the state it begins with",
        "attention": f"for each word it looks anew at the image (attention, {d.attention} units)",
    }[d.image]
    cells = d.cell.upper() + (f" × {d.layers}" if d.layers > 1 else "")
    encoder = getattr(run.recipe.model, "encoder", "")
    return [
        *([("encoder", encoder)] if encoder else []),
        ("decoder", f"{cells}, {formats.counted(d.units, 'unit')}; {enters}"),
        (
            "vocabulary",
            f"{formats.counted(d.words, 'word')}, four marks among them; {d.embedding} numbers each",
        ),
    ]
