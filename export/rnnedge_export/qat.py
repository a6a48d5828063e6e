"""``quantize``: a built Keras 3 model → twin → tfmot annotate/apply → fine-tune → convert → audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_export import graphs
from rnnedge_export.annotate import quantization_model
from rnnedge_export.auditing import AuditError
from rnnedge_export.batches import Batches
from rnnedge_export.calibration import CLIPS_AT_ONCE, calibrate
from rnnedge_export.compiled import Compiled
from rnnedge_export.convert import TIME_LIMIT_S
from rnnedge_export.finetune import ends_in_softmax, finetune
from rnnedge_export.forms import FORMS, Compiler, check_forms, stream_equals_batch
from rnnedge_export.frames import check_causal, is_clip
from rnnedge_export.quantized import Quantized
from rnnedge_export.twin import build_twin, twin_error

CALIBRATION_SAMPLES = 512
PARITY_SAMPLES = 256
# Of a clip model's samples each has T frames, and each frame the size of an image.
CLIP_FRAMES = 1024
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
    validation: tuple[np.ndarray, ...] | None = None,
    seed: int = 0,
    time_limit_s: float = TIME_LIMIT_S,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Quantized:
    """Quantise a built Keras 3 Sequential or Functional model to int8 TFLite.

    Args:
        model: with one input and one output, of the layers in ``support.SUPPORTED``.
        x: what ``fit`` takes: an array ``[N, ...]``, a ``PyDataset``, a ``tf.data.Dataset``; the model's own input.
            Batches may be ``(x, y, w)`` with weights ``w`` of the labels' loss, such as ``[B, T]``: 0 leaves one out.
        y: labels for an array ``x``; without any, the float model is the only teacher.
        epochs: of fine-tuning; 0 only calibrates the ranges.
        form: ``auto``, a form, or several (the first is the default): ``loop``, ``unrolled``, ``step``, ``fused``. A
            clip model (an encoder in ``TimeDistributed``, then recurrent layers over time) has ``step``, which takes a
            frame, and ``sequence``, which takes T of them, both in one file; ``auto`` gives it both.
        io: ``int8`` or ``float32`` at the border.
        fused_weights: of the ``fused`` form, which is not quantisation-aware: ``float32`` or ``int8``.
        distill: the teacher's share of the loss, 0 to 1.
        loss: a ``tf_keras`` loss for the task; by default from the labels' type.
        validation: ``(x, labels)`` or ``(x, labels, weights)`` to score after each epoch.
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
    clip = is_clip(twin)
    wanted = check_forms(wanted, clip)
    if clip:
        check_causal(twin)
    shape = tuple(twin.inputs[0].shape[1:])
    batches = Batches(x, y, batch_size, shape, seed)
    sample = batches.sample(max(CLIPS_AT_ONCE, CLIP_FRAMES // shape[0]) if clip else CALIBRATION_SAMPLES)
    gap = twin_error(model, twin, sample[: CLIPS_AT_ONCE if clip else 64])
    if gap > MAX_TWIN_ERROR:
        raise InputError(f"model: its tf_keras twin differs by {gap:.1e} from it (allowed: {MAX_TWIN_ERROR})")

    student = quantization_model(twin)
    if "step" in wanted and not clip:
        graphs.scan_of(student)  # refused before it is trained for nothing
    calibrate(student, twin, sample)
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
    sample = sample[:PARITY_SAMPLES]
    compiler = Compiler(student, twin, io, fused_weights, sample, time_limit_s)
    forms, refused = (compiler.clips(wanted), {}) if clip else compiler.images(wanted)
    best = forms[0]
    assert best.parity is not None
    figures = {
        "form": best.name,
        "io": io,
        "forms": {compiled.name: compiled.to_dict() for compiled in forms},
        "refused": refused,
        "parity": {"twin_max_abs": gap, **{f"int8_{k}": v for k, v in best.parity.to_dict().items()}},
        "history": history,
        "layers": [{"name": layer.name, "type": type(layer).__name__} for layer in twin.layers],
        "ranges": ranges(student),
    }
    if len(forms) > 1 and clip:
        figures["stream_equals_batch"] = _same_stream(forms, sample)
    keep = forms[:1] if wanted == ("auto",) else forms
    return Quantized(student, tuple(keep), figures, ends_in_softmax(twin), twin)


def _same_stream(forms: list[Compiled], sample: np.ndarray) -> dict[str, Any]:
    by_name = {compiled.name: compiled for compiled in forms}
    figures = stream_equals_batch(by_name["step"], by_name["sequence"], sample)
    if figures["max_abs"]:
        raise AuditError(
            f"form: the stream of 'step' differs from 'sequence' by {figures['max_abs']:.2e}; expected 0"
        )
    return figures


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
