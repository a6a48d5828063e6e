"""``quantize``: a built Keras 3 model → twin → tfmot annotate/apply → fine-tune → convert → audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_export import graphs
from rnnedge_export.annotate import quantization_model, recurrent_layers, tracing
from rnnedge_export.auditing import AuditError, audit
from rnnedge_export.batches import Batches
from rnnedge_export.compiled import Compiled, describe, measure, parity
from rnnedge_export.convert import TIME_LIMIT_S, Job, convert
from rnnedge_export.finetune import ends_in_softmax, finetune, predict
from rnnedge_export.fused import fused_form
from rnnedge_export.quantized import Quantized
from rnnedge_export.scheme import observing
from rnnedge_export.twin import build_twin, twin_error

FORMS = ("auto", "loop", "unrolled", "step", "fused")
# Beyond this many steps in all, an unrolled graph is slower to load than it is worth: auto does not try it.
UNROLL_AUTO = 256
CALIBRATION_SAMPLES = 512
PARITY_SAMPLES = 256
# A form is not shipped if it disagrees with the trained model more often than this, unless it only breaks near ties
# otherwise (those of a model that is hardly trained).
MIN_TOP1 = 0.98
NEAR_TIE_LSB = 8
MAX_TWIN_ERROR = 1e-5


def quantize(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    epochs: int = 3,
    learning_rate: float = 1e-4,
    batch_size: int = 128,
    form: str | Sequence[str] = "auto",
    io: str = "int8",
    fused_weights: str = "float32",
    distill: float = 0.5,
    loss: Any = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    time_limit_s: float = TIME_LIMIT_S,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Quantized:
    """Quantise a built Keras 3 Sequential or Functional model to int8 TFLite.

    Args:
        model: with one input and one output, of the layers in ``support.SUPPORTED``.
        x: what ``fit`` takes: an array ``[N, ...]``, a ``PyDataset``, a ``tf.data.Dataset``; the model's own input.
        y: labels for an array ``x``; without any, the float model is the only teacher.
        epochs: of fine-tuning; 0 only calibrates the ranges.
        form: ``auto``, a form, or several (the first is the default): ``loop``, ``unrolled``, ``step``, ``fused``.
        io: ``int8`` or ``float32`` at the border.
        fused_weights: of the ``fused`` form, which is not quantisation-aware: ``float32`` or ``int8``.
        distill: the teacher's share of the loss, 0 to 1.
        loss: a ``tf_keras`` loss for the task; by default from the labels' type.
        validation: ``(x, labels)`` to score after each epoch.
        report: called with the figures of each epoch.

    Returns:
        Quantized: ``.twin``, ``.tflite``, ``.report``, ``.save(path, ...)``.

    Raises:
        InputError: a layer that cannot be quantised, data that do not fit, a form that this model does not have, a
            converter that refused or crashed, an audit or a parity that failed.

    Example:
        >>> quantized = quantize(model, x_train, y_train, epochs=3)
        >>> quantized.save("digits.rnnedge", labels=names)
    """
    wanted = _check(form, io, epochs, learning_rate, batch_size, distill, fused_weights)
    tf.random.set_seed(seed)
    twin = build_twin(model)
    batches = Batches(x, y, batch_size, tuple(twin.inputs[0].shape[1:]), seed)
    sample = batches.sample(CALIBRATION_SAMPLES)
    gap = twin_error(model, twin, sample[:64])
    if gap > MAX_TWIN_ERROR:
        raise InputError(f"model: its tf_keras twin differs by {gap:.1e} from it (allowed: {MAX_TWIN_ERROR})")

    student = quantization_model(twin)
    with observing(), tracing(student, "float"):
        student(tf.constant(sample), training=False)
    history = finetune(
        student,
        twin,
        batches,
        epochs=epochs,
        learning_rate=learning_rate,
        distill=distill,
        loss=loss,
        validation=validation,
        report=report,
    )
    reference = predict(student, sample[:PARITY_SAMPLES])
    forms, refused = _compile(student, twin, wanted, io, fused_weights, sample, reference, time_limit_s)
    best = forms[0]
    assert best.parity is not None
    figures = {
        "form": best.name,
        "io": io,
        "forms": {compiled.name: compiled.to_dict() for compiled in forms},
        "refused": refused,
        "parity": {"twin_max_abs": gap, **{f"int8_{k}": v for k, v in best.parity.to_dict().items()}},
        "history": history,
        "layers": [{"name": layer.name, "type": type(layer).__name__} for layer in model.layers],
        "ranges": ranges(student),
    }
    keep = forms[:1] if wanted == ("auto",) else forms
    return Quantized(student, tuple(keep), figures, ends_in_softmax(twin))


def _check(
    form: str | Sequence[str],
    io: str,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    distill: float,
    fused_weights: str,
) -> tuple[str, ...]:
    wanted = (form,) if isinstance(form, str) else tuple(form)
    for name in wanted:
        if name not in FORMS or (name == "auto" and len(wanted) > 1):
            raise InputError(f"form: {form!r}; expected 'auto', or one or several of {', '.join(FORMS[1:])}")
    if not wanted or len(set(wanted)) != len(wanted):
        raise InputError(f"form: {form!r}; expected each form once, and at least one")
    if io not in ("int8", "float32"):
        raise InputError(f"io: {io!r}; expected 'int8' or 'float32'")
    if fused_weights not in ("float32", "int8"):
        raise InputError(f"fused_weights: {fused_weights!r}; expected 'float32' or 'int8'")
    if not isinstance(epochs, int) or epochs < 0:
        raise InputError(f"epochs: {epochs!r}; expected a whole number of at least 0")
    if not learning_rate > 0:
        raise InputError(f"learning_rate: {learning_rate!r}; expected more than 0")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size: {batch_size!r}; expected a whole number of at least 1")
    if not 0 <= distill <= 1:
        raise InputError(f"distill: {distill!r}; expected 0 to 1")
    return wanted


def _compile(
    student: tf_keras.Model,
    twin: tf_keras.Model,
    wanted: tuple[str, ...],
    io: str,
    fused_weights: str,
    sample: np.ndarray,
    reference: np.ndarray,
    time_limit_s: float,
) -> tuple[list[Compiled], dict[str, str]]:
    """The forms that hold, the fastest (``auto``) or as asked, and why others do not."""
    auto = wanted == ("auto",)
    names = _candidates(student) if auto else [name for name in wanted if name != "fused"]
    traced = {name: graphs.trace(student, name) for name in names}
    jobs = [Job(name, graph.function, "int8", io, graph.bound) for name, graph in traced.items()]
    layers = [getattr(layer, "layer", layer).name for layer in student.layers]
    found: list[Compiled] = []
    refused: dict[str, str] = {}
    for name, result in convert(jobs, layers, time_limit_s).items() if jobs else ():
        try:
            if isinstance(result, Exception):
                raise result
            found.append(_accepted(name, result, traced[name], io, sample, reference))
        except InputError as error:
            if not auto:
                raise
            refused[name] = str(error)
    if "fused" in wanted:
        compiled = fused_form(twin, fused_weights, time_limit_s)
        some = sample[:PARITY_SAMPLES]
        found.append(replace(compiled, parity=parity(compiled, some, predict(twin, some))))
    if not found:
        raise InputError("form: 'auto' found none that holds: " + "; ".join(refused.values()))
    times = measure(found, sample)
    found = [replace(c, form=replace(c.form, latency_us=round(times[c.name], 2))) for c in found]
    found.sort(key=(lambda c: times[c.name]) if auto else (lambda c: wanted.index(c.name)))
    return found, refused


def _candidates(student: tf_keras.Model) -> list[str]:
    steps = sum(layer.steps for layer in recurrent_layers(student))
    if not steps:
        return ["unrolled"]
    return ["loop", "unrolled"] if steps <= UNROLL_AUTO else ["loop"]


def _accepted(
    name: str, data: bytes, graph: graphs.Graph, io: str, sample: np.ndarray, reference: np.ndarray
) -> Compiled:
    """The form with its audit and parity.

    Raises:
        AuditError: it must not be shipped.
    """
    result = audit(data, io=io)
    if not result.passed:
        raise AuditError(f"form: {name!r} failed its audit: {'; '.join(result.failures)}")
    compiled = Compiled(describe(name, data, result, graph.states, graph.scan), data, result)
    measured = parity(compiled, sample[:PARITY_SAMPLES], reference)
    if (measured.top1 < MIN_TOP1 and measured.regret_lsb > NEAR_TIE_LSB) or not measured.repeatable:
        raise AuditError(
            f"form: {name!r} agrees with the trained model on {measured.top1:.1%} of {measured.samples} samples "
            f"(at least {MIN_TOP1:.0%}), up to {measured.regret_lsb} LSB worse, repeatable: {measured.repeatable}"
        )
    return replace(compiled, parity=measured)


def ranges(student: tf_keras.Model) -> dict[str, dict[str, list[float]]]:
    """The range of every quantiser: ``{layer: {what: [low, high]}}`` (extremes where a range has channels)."""
    found: dict[str, dict[str, list[float]]] = {}
    values = {variable.name.split(":")[0]: variable.numpy() for variable in student.variables}
    for name, low in values.items():
        if name.endswith("_min") and name[:-4] + "_max" in values:
            layer, what = name[:-4].rsplit("/", 1) if "/" in name else ("input", name[:-4])
            pair = [float(np.min(low)), float(np.max(values[name[:-4] + "_max"]))]
            found.setdefault(layer.removeprefix("quant_"), {})[what] = pair
    return found
