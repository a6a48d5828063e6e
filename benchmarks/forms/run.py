"""One size: build every candidate, prove that it computes the model, time them all."""

from __future__ import annotations

from benchmarks.forms.candidate import agreement
from benchmarks.forms.onnx_peer import onnx_peers
from benchmarks.forms.result import Result
from benchmarks.forms.subject import GATES, make_subject
from benchmarks.forms.tflite import limits, our_forms, stock_forms
from benchmarks.forms.timing import interleave
from benchmarks.forms.torch_peer import torch_peers

FRAMES = 64


def run(cell: str, units: int, rounds: int) -> Result:
    """Measure one cell of one size.

    Raises:
        InputError: a candidate that does not compute the model, or cannot be built.
    """
    subject = make_subject(cell, units)
    candidates = [
        *our_forms(subject),
        *stock_forms(subject),
        *onnx_peers(subject),
        *torch_peers(subject),
        *limits(subject, GATES[cell]),
    ]
    agreements = [agreement(candidate, subject) for candidate in candidates]
    timings = interleave(candidates, subject.frames[:FRAMES], rounds)
    return Result(cell, units, list(zip(candidates, timings, agreements, strict=True)))
