"""The forms of a trained model: traced, converted, audited, held against the model, timed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_export import graphs
from rnnedge_export.annotate import recurrent_layers
from rnnedge_export.auditing import AuditError, audit
from rnnedge_export.compiled import Compiled, describe, measure, parity
from rnnedge_export.convert import Job, convert
from rnnedge_export.finetune import predict
from rnnedge_export.frames import bare, is_clip
from rnnedge_export.fused import fused_form
from rnnedge_export.merging import merge

FORMS = ("auto", "loop", "unrolled", "step", "sequence", "fused")
CLIP_FORMS = ("step", "sequence")
# Beyond this many steps in all, an unrolled graph is slower to load than it is worth: auto does not try it.
UNROLL_AUTO = 256
# A form is not shipped if it disagrees with the trained model more often than this, unless it only breaks near ties
# otherwise (those of a model that is hardly trained) or follows it closely all the same (a deep encoder's roundings,
# a clip's first frames).
MIN_TOP1 = 0.98
NEAR_TIE_LSB = 8
MAX_NOISE = 0.2
# Over so many frames a clip model's stream is held against its sequences.
STREAMED_FRAMES = 200


def check_forms(wanted: tuple[str, ...], clip: bool) -> tuple[str, ...]:
    """The forms to make of an image model or a clip model: those wanted, or of ``auto`` the candidates' names.

    Raises:
        InputError: a form that such a model does not have.
    """
    if not clip:
        if "sequence" in wanted:
            raise InputError(
                "form: 'sequence' is for clip models, whose encoder is TimeDistributed; use 'loop'"
            )
        return wanted
    if wanted == ("auto",):
        return CLIP_FORMS
    for name in wanted:
        if name not in CLIP_FORMS:
            raise InputError(f"form: {name!r}; a clip model has {' and '.join(map(repr, CLIP_FORMS))}")
    return wanted


@dataclass(frozen=True)
class Compiler:
    """Makes forms of a trained ``student``.

    Args:
        twin: the float model, for the ``fused`` form.
        io: ``int8`` or ``float32`` at the border.
        fused_weights: of the ``fused`` form.
        sample: inputs ``[N, ...]`` to measure on.
        time_limit_s: of each conversion.
    """

    student: tf_keras.Model
    twin: tf_keras.Model
    io: str
    fused_weights: str
    sample: np.ndarray
    time_limit_s: float

    def images(self, wanted: tuple[str, ...]) -> tuple[list[Compiled], dict[str, str]]:
        """The forms that hold, the fastest first (``auto``) or as asked, and why others do not."""
        auto = wanted == ("auto",)
        names = self._candidates() if auto else [name for name in wanted if name != "fused"]
        traced = {name: graphs.trace(self.student, name) for name in names}
        reference = predict(self.student, self.sample)
        found: list[Compiled] = []
        refused: dict[str, str] = {}
        for name, result in self._convert(traced).items():
            try:
                if isinstance(result, Exception):
                    raise result
                found.append(self._accepted(traced[name], result, reference))
            except InputError as error:
                if not auto:
                    raise
                refused[name] = str(error)
        if "fused" in wanted:
            compiled = fused_form(self.twin, self.fused_weights, self.time_limit_s)
            measured = parity(compiled, self.sample, predict(self.twin, self.sample))
            found.append(replace(compiled, parity=measured))
        if not found:
            raise InputError("form: 'auto' found none that holds: " + "; ".join(refused.values()))
        found = self._timed(found)
        found.sort(key=lambda c: (c.form.latency_us or 0.0) if auto else wanted.index(c.name))
        return found, refused

    def clips(self, wanted: tuple[str, ...]) -> list[Compiled]:
        """The forms of a clip model, all in one file.

        Raises:
            InputError: a conversion, an audit or a parity that failed.
        """
        traced = {name: graphs.trace(self.student, name) for name in wanted}
        return self.merged(traced, self._convert(traced))

    def merged(self, traced: dict[str, graphs.Graph], files: dict[str, Any]) -> list[Compiled]:
        """The forms of a clip model from what ``convert`` made of their graphs, in the order of ``traced``."""
        for name in traced:
            if isinstance(files[name], Exception):
                raise files[name]
        data = merge({name: files[name] for name in traced})
        reference = predict(self.student, self.sample)
        return self._timed([self._accepted(graph, data, reference, name) for name, graph in traced.items()])

    def _convert(self, traced: dict[str, graphs.Graph]) -> dict[str, Any]:
        jobs = [Job(name, graph.function, "int8", self.io, graph.bound) for name, graph in traced.items()]
        layers = [bare(layer).name for layer in self.student.layers]
        return convert(jobs, layers, self.time_limit_s) if jobs else {}

    def _candidates(self) -> list[str]:
        steps = sum(layer.steps for layer in recurrent_layers(self.student))
        if not steps:
            return ["unrolled"]
        return ["loop", "unrolled"] if steps <= UNROLL_AUTO else ["loop"]

    def _accepted(
        self, graph: graphs.Graph, data: bytes, reference: np.ndarray, signature: str | None = None
    ) -> Compiled:
        """The form with its audit and parity.

        Raises:
            AuditError: it must not be shipped.
        """
        name = graph.form
        result = audit(data, io=self.io, signature=signature)
        if not result.passed:
            raise AuditError(f"form: {name!r} failed its audit: {'; '.join(result.failures)}")
        form = describe(name, data, result, graph.states, graph.scan, signature)
        compiled = Compiled(form, data, result, clip=is_clip(self.student))
        measured = parity(compiled, self.sample, reference)
        apart = measured.regret_lsb > NEAR_TIE_LSB and measured.noise > MAX_NOISE
        if (measured.top1 < MIN_TOP1 and apart) or not measured.repeatable:
            raise AuditError(
                f"form: {name!r} agrees with the trained model on {measured.top1:.1%} of {measured.samples} samples "
                f"(at least {MIN_TOP1:.0%}), up to {measured.regret_lsb} LSB worse, noise {measured.noise:.2f} of its "
                f"spread, repeatable: {measured.repeatable}"
            )
        return replace(compiled, parity=measured)

    def _timed(self, found: list[Compiled]) -> list[Compiled]:
        times = measure(found, self.sample)
        return [replace(c, form=replace(c.form, latency_us=round(times[c.name], 2))) for c in found]


def stream_equals_batch(step: Compiled, sequence: Compiled, sample: np.ndarray) -> dict[str, Any]:
    """How far the frames of ``sample [N, T, ...]``, streamed one by one, are from the same in whole sequences.

    Returns:
        ``{"max_abs", "frames"}`` of one stream of at least ``STREAMED_FRAMES``, states carried throughout.
    """
    length = sample.shape[1]
    count = -(-max(STREAMED_FRAMES, length) // length)
    stream = np.resize(sample, (1, count * length, *sample.shape[2:]))
    apart = np.abs(step.runner().real(stream) - sequence.runner().real(stream))
    return {"max_abs": float(apart.max()), "frames": math.prod(stream.shape[:2])}
