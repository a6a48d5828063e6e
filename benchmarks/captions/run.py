"""One captioner: build every candidate, prove that it computes the model, time them all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.captions.candidate import HALVES, agreement
from benchmarks.captions.onnx_peer import onnx_peers
from benchmarks.captions.result import Result, Row
from benchmarks.captions.subject import make_subject, pictures
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
    subject = make_subject(opened.model, pictures(bundle))
    candidates = [*ours, *float32(subject), *onnx_peers(subject)]
    agreements = [agreement(candidate, subject) for candidate in candidates]
    rows: list[Row] = []
    for half in HALVES:
        found = [pair for pair in zip(candidates, agreements, strict=True) if pair[0].half == half]
        # What is prepared is one of the inputs, by its place.
        timed = [
            Timed(one.name, "peer", one.call, lambda at, one=one: one.prepare(subject.given(one.half)[at]))
            for one, _ in found
        ]
        timings = interleave(timed, np.arange(len(subject.given(half))), rounds)
        rows += [(one, timing, same) for (one, same), timing in zip(found, timings, strict=True)]
    return Result(bundle.manifest.name, rows)
