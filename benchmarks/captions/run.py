"""One captioner: build every candidate, prove that it computes the model, time them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.captions.candidate import HALVES, Candidate, agreement
from benchmarks.captions.onnx_peer import onnx_peers
from benchmarks.captions.result import Result, Row
from benchmarks.captions.subject import Arrays, make_subject, pictures
from benchmarks.captions.tflite import float32, int8
from benchmarks.forms.candidate import Candidate as Timed
from benchmarks.forms.timing import interleave
from rnnedge.runs import Run
from rnnedge_device.bundle import read_bundle
from rnnedge_device.errors import InputError


def run(folder: Path, rounds: int) -> Result:
    """Measure the captioner of a run's folder.

    Raises:
        InputError: no finished and quantised caption run, or a candidate that does not compute its model.
    """
    opened = Run.open(folder)
    if not opened.bundle.is_file():
        raise InputError(f"{opened.bundle}: there is no such file; `rnnedge quantize {folder}` makes it")
    bundle = read_bundle(opened.bundle)
    ours = int8(bundle)
    shape, expected = opened.model.inputs[0].shape[1:], bundle.manifest.preprocess.shape
    if tuple(shape) != expected:
        raise InputError(f"{opened.bundle}: for images {expected}; the run's model takes {tuple(shape)}")
    subject = make_subject(opened.model, pictures(bundle))
    candidates = [*ours, *float32(subject), *onnx_peers(subject)]
    agreements = [agreement(candidate, subject) for candidate in candidates]
    rows: list[Row] = []
    for half in HALVES:
        found = [pair for pair in zip(candidates, agreements, strict=True) if pair[0].half == half]
        timed = [_timed(one, subject.given(half)) for one, _ in found]
        timings = interleave(timed, np.arange(len(subject.given(half))), rounds)
        rows += [(one, timing, same) for (one, same), timing in zip(found, timings, strict=True)]
    return Result(bundle.manifest.name, rows)


def _timed(one: Candidate, given: list[Arrays]) -> Timed:
    """A candidate for ``interleave``, whose frame is an input's place in ``given``."""
    call: Any = one.call
    return Timed(one.name, "peer", call, lambda place: one.prepare(given[int(place)]))
