"""Conversion in a child process: a converter that crashes or hangs becomes an error that names layer and form."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnedge_device.errors import InputError
from rnnedge_export.converter_process import ConverterProcess
from rnnedge_export.rewrite import finish

TIME_LIMIT_S = 300.0


class ConversionError(InputError):
    """The converter refused, crashed or ran out of time."""


@dataclass(frozen=True)
class Job:
    """One graph to convert.

    Args:
        name: what messages call it, the form as a rule.
        function: a concrete function with named inputs; the output file's signature ``serve``.
        mode: ``int8`` (fake-quantised graph), ``static`` (int8 by calibration), ``dynamic`` (int8 weights) or
            ``float32``.
        io: ``int8`` or ``float32`` at the border.
        bound: inputs to turn into zero constants (``rewrite.finish``).
        samples: calibration inputs ``[N, ...]`` for ``static``.
        keep: the model whose variables ``function`` reads, if it is not frozen.
    """

    name: str
    function: Any
    mode: str = "int8"
    io: str = "int8"
    bound: tuple[str, ...] = ()
    samples: np.ndarray | None = None
    keep: Any = None


def convert(
    jobs: Sequence[Job], layers: Sequence[str] = (), time_limit_s: float = TIME_LIMIT_S
) -> dict[str, bytes | ConversionError]:
    """Convert each job; a result is the ``.tflite`` bytes or the error that this job met.

    Args:
        layers: layer names to look for in the converter's message.
        time_limit_s: for each job.
    """
    results: dict[str, bytes | ConversionError] = {}
    with tempfile.TemporaryDirectory(prefix="rnnedge-") as folder:
        root = Path(folder)
        descriptions = {job.name: _describe(job, root / f"job{i}") for i, job in enumerate(jobs)}
        waiting = {job.name: job for job in jobs}
        while waiting:
            (root / "jobs.json").write_text(json.dumps([descriptions[name] for name in waiting]))
            failed, reason = _process().run(str(root / "jobs.json"), len(waiting) * time_limit_s)
            for name, job in list(waiting.items()):
                output = Path(descriptions[name]["output"])
                error = output.with_suffix(".error")
                if output.exists():
                    results[name] = (
                        finish(output.read_bytes(), job.bound) if job.mode == "int8" else output.read_bytes()
                    )
                elif error.exists():
                    results[name] = _error(job, error.read_text(), layers)
                elif name == failed:
                    results[name] = _error(job, reason, layers)
                else:
                    continue
                del waiting[name]
            if waiting and failed is None:
                # The child ended before its first job: nothing that a second try would change.
                results |= {name: _error(job, reason, layers) for name, job in waiting.items()}
                break
    return results


@cache
def _process() -> ConverterProcess:
    return ConverterProcess()


def _describe(job: Job, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    module = tf.Module()
    module.kept = list(job.keep.variables) if job.keep is not None else []
    tf.saved_model.save(module, str(folder / "model"), signatures={"serve": job.function})
    if job.samples is not None:
        np.save(folder / "samples.npy", job.samples.astype(np.float32))
    return {
        "name": job.name,
        "saved_model": str(folder / "model"),
        "mode": job.mode,
        "io": job.io,
        "samples": str(folder / "samples.npy"),
        "output": str(folder / "model.tflite"),
    }


def _error(job: Job, message: str, layers: Sequence[str]) -> ConversionError:
    name = next(
        (
            n
            for n in sorted(layers, key=len, reverse=True)
            if re.search(rf"\b(quant_)?{re.escape(n)}\b", message)
        ),
        None,
    )
    where = f"layer {name!r}" if name else "the model"
    first = next((line for line in message.splitlines() if line.strip()), "no message")
    return ConversionError(
        f"form: {job.name!r} ({job.mode}) of {where} could not be converted: {first[:600]}"
    )
