"""The audit finds what it is there to find."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from models import inputs, one_layer

from rnnedge_device.errors import InputError
from rnnedge_export import audit, ptq, read_model
from rnnedge_export.auditing import ties
from rnnedge_export.convert import Job, convert
from rnnedge_export.roundings import NEAR, margin, snapped


def _fake(x, low, high):
    return tf.quantization.fake_quant_with_min_max_args(x, low, high)


def _product(out_low: float, out_high: float) -> bytes:
    """An int8 product of a sigmoid and a tanh, with the given range of the result."""

    def body(x):
        x = _fake(x, -8.0, 8 * 127 / 128)
        return {
            "y": _fake(
                _fake(tf.sigmoid(x), 0, 255 / 256) * _fake(tf.tanh(x), -1, 127 / 128), out_low, out_high
            )
        }

    function = tf.function(body).get_concrete_function(x=tf.TensorSpec((1, 8), name="x"))
    return convert([Job("product", function)])["product"]


def test_dyadic_scales_are_found_and_ours_are_not() -> None:
    assert [tie.operator for tie in ties(read_model(_product(-1.0, 127 / 128)))] == ["MUL"]
    scale = 255 / 32768
    assert ties(read_model(_product(-128 * scale, 127 * scale))) == []


@pytest.mark.parametrize(
    "factor", [0.5, 1 / 256, 3 / 2**7, 1 / 255, 0.0039215, 0.7, 1.0, 2.0, 1 / 3, 0.00123456]
)
def test_margin_is_what_counting_in_fractions_says(factor: float) -> None:
    exact = Fraction(float(np.float32(factor)))
    products = [exact * a for a in range(3000) if exact * a <= 130]
    assert margin(factor, 2999) == pytest.approx(
        min(float(abs(p % 1 - Fraction(1, 2))) for p in products), abs=1e-9
    )


def test_snapped_factors_round_alike_in_float32_and_in_fixed_point() -> None:
    """The property itself: both ways of computing, on every accumulator that does not saturate."""
    rng = np.random.default_rng(0)
    differing = 0
    for factor in np.exp(rng.uniform(np.log(2e-4), np.log(0.9), 40)):
        for m, counted in ((factor, True), (snapped(factor), False)):
            a = np.arange(-int(130 / m), int(130 / m) + 1)
            in_float = np.rint(a.astype(np.float32) * np.float32(m))
            shift = 31 - int(np.floor(np.log2(m)))
            fixed = (
                a * int(np.rint(np.float32(m).astype(np.float64) * 2.0**shift)) + (1 << (shift - 1))
            ) >> shift
            if counted:
                differing += int((in_float != fixed).sum())
            else:
                assert (in_float == fixed).all()
        assert abs(snapped(factor) / factor - 1) < 1e-3
        assert margin(snapped(factor), 10**7) > NEAR
    assert differing > 0  # factors as they come do differ: the check can fail


@pytest.mark.parametrize("factor", [0.0, 1e-20, 1e-6, 6e-5, 7.7e-5, 1.2e-4, 1.3e-4])
def test_smallest_factors_snap_to_fractions_that_round_alike(factor: float) -> None:
    """Of channels that hardly move their output: a fraction near by, or the smallest there is."""
    found = snapped(factor)
    assert margin(found, 10**7) > NEAR
    assert found >= 6.1e-5
    assert factor < 6.1e-5 or abs(found / factor - 1) < 1e-3


def test_float_arithmetic_in_an_int8_model_fails() -> None:
    model = one_layer("lstm")
    data = ptq(model, inputs(model, 32), "float32", "unrolled").tflite
    result = audit(data)
    assert not result.passed
    assert any("FULLY_CONNECTED" in failure for failure in result.failures)
    assert audit(data, int8=False).passed


def test_flex_and_custom_operators_fail() -> None:
    def body(x):
        return {"y": tf.raw_ops.Digamma(x=x)}

    function = tf.function(body).get_concrete_function(x=tf.TensorSpec((1, 4), name="x"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.allow_custom_ops = True
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    result = audit(converter.convert(), int8=False)
    assert not result.passed
    assert "Digamma" in result.failures[0]


@pytest.mark.parametrize("data", [b"", b"not a model at all", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_bytes_that_are_no_model_are_one_clear_error(data: bytes) -> None:
    with pytest.raises(InputError, match=r"model: .*(TFL3|damaged)"):
        audit(data)


def test_versions_that_the_old_runtime_lacks_are_named() -> None:
    model = one_layer("gru", units=48)
    found = ptq(model, inputs(model, 32), "dynamic", "unrolled").forms[0].audit
    assert any("FULLY_CONNECTED version 12" in problem for problem in found.runtimes["tflite-runtime 2.14"])
