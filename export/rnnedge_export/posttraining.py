"""``ptq``: post-training baselines, converted without any training and without our scheme."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_export.auditing import audit
from rnnedge_export.batches import Batches
from rnnedge_export.compiled import Compiled, describe, measure, parity
from rnnedge_export.convert import TIME_LIMIT_S, Job, convert
from rnnedge_export.finetune import ends_in_softmax, predict
from rnnedge_export.fused import float_function
from rnnedge_export.quantized import Quantized
from rnnedge_export.twin import build_twin, twin_error

METHODS = ("float32", "dynamic", "static")
FORMS = ("unrolled", "loop", "fused")


def ptq(
    model: Any,
    x: Any,
    method: str = "dynamic",
    form: str = "unrolled",
    *,
    samples: int = 128,
    time_limit_s: float = TIME_LIMIT_S,
) -> Quantized:
    """Convert a built Keras 3 model without quantisation-aware training, as a baseline.

    Args:
        x: inputs ``[N, ...]`` (or whatever ``quantize`` takes) for calibration and for measuring.
        method: ``float32`` (no quantisation), ``dynamic`` (int8 weights, float arithmetic), ``static`` (int8 by
            calibration on ``samples`` inputs, which crashes the converter on looped layers).
        form: ``unrolled``; ``loop``, a WHILE; ``fused``, LSTM layers as TFLite's own kernel.

    Raises:
        InputError: unknown method or form, or a conversion that failed: the message says how.
    """
    if method not in METHODS:
        raise InputError(f"method: {method!r}; expected one of {', '.join(METHODS)}")
    if form not in FORMS:
        raise InputError(f"form: {form!r}; expected one of {', '.join(FORMS)}")
    twin = build_twin(model)
    sample = Batches(x, None, 128, tuple(twin.inputs[0].shape[1:])).sample(max(samples, 256))
    source = _with_loops(twin, form)
    io = "int8" if method == "static" else "float32"
    job = Job(form, float_function(source), method, io, samples=sample[:samples], keep=source)
    result = convert([job], [layer.name for layer in twin.layers], time_limit_s)[form]
    if isinstance(result, Exception):
        raise result
    found = audit(result, int8=False, io=io)
    compiled = Compiled(describe(form, result, found), result, found)
    measured = parity(compiled, sample[:256], predict(twin, sample[:256]))
    compiled = Compiled(compiled.form, result, found, measured)
    figures = {
        "method": method,
        "form": form,
        "io": io,
        "latency_us": measure([compiled], sample)[form],
        "forms": {form: compiled.to_dict()},
        "parity": {
            "twin_max_abs": twin_error(model, twin, sample[:64]),
            **{f"int8_{k}": v for k, v in measured.to_dict().items()},
        },
    }
    return Quantized(twin, (compiled,), figures, ends_in_softmax(twin))


def float_baseline(model: Any) -> Compiled:
    """The model as TFLite runs it without any quantisation (LSTM layers fused), named ``float32``."""
    twin = build_twin(model)
    job = Job("float32", float_function(twin), "float32", "float32", keep=twin)
    result = convert([job])[job.name]
    if isinstance(result, Exception):
        raise result
    found = audit(result, int8=False, io="float32")
    form = replace(describe("fused", result, found), name="float32")
    return Compiled(form, result, found)


def _with_loops(twin: tf_keras.Model, form: str) -> tf_keras.Model:
    """The twin with its recurrent layers unrolled, as plain loops, or as they are (fused where TFLite can)."""

    def rewritten(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, (tf_keras.layers.SimpleRNN, tf_keras.layers.LSTM, tf_keras.layers.GRU)):
            return type(layer).from_config({**config, "unroll": True})
        if isinstance(layer, tf_keras.layers.Bidirectional):
            for side in ("layer", "backward_layer"):
                if config.get(side):
                    config[side]["config"]["unroll"] = True
        return type(layer).from_config(config)

    if form != "unrolled":
        if form == "loop" and any("LSTM" in type(layer).__name__ for layer in twin.layers):
            raise InputError("form: 'loop' of an LSTM is what the converter fuses; use 'fused' or 'unrolled'")
        return twin
    copy = tf_keras.models.clone_model(twin, clone_function=rewritten)
    copy.set_weights(twin.get_weights())
    copy(tf.zeros((1, *twin.inputs[0].shape[1:]), np.float32))
    return copy
