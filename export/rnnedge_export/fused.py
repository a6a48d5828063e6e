"""The ``fused`` form: TFLite's own float LSTM kernel, for comparison and for those who need it."""

from __future__ import annotations

import tensorflow as tf
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_export.auditing import audit
from rnnedge_export.compiled import Compiled, describe
from rnnedge_export.convert import Job, convert

FUSED_OP = "UNIDIRECTIONAL_SEQUENCE_LSTM"


def float_function(twin: tf_keras.Model) -> tf.types.experimental.ConcreteFunction:
    """The float twin as a function of one sample; variables stay variables, so that LSTM layers can be fused."""
    shape = tuple(twin.inputs[0].shape[1:])
    run = tf.function(lambda x: {"y": twin(x, training=False)}, autograph=False)
    return run.get_concrete_function(x=tf.TensorSpec((1, *shape), name="x"))


def fused_form(twin: tf_keras.Model, weights: str, time_limit_s: float) -> Compiled:
    """Convert the float twin so that each LSTM becomes one operator.

    Args:
        weights: ``float32``, or ``int8`` (dynamic range: int8 weights, float arithmetic).

    Raises:
        InputError: a model without an LSTM (the converter fuses nothing else), or a failed conversion.
    """
    mode = "dynamic" if weights == "int8" else "float32"
    job = Job("fused", float_function(twin), mode, "float32", keep=twin)
    result = convert([job], (), time_limit_s)[job.name]
    if isinstance(result, Exception):
        raise result
    found = audit(result, int8=False, io="float32")
    if FUSED_OP not in found.ops:
        raise InputError(
            "form: 'fused' exists for LSTM layers only, this model has none; use 'loop' or 'unrolled'"
        )
    return Compiled(describe("fused", result, found), result, found)
