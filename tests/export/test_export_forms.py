"""quantize() on models that no recipe has, and what every form promises."""

from __future__ import annotations

import os
from functools import cache

import keras
import numpy as np
import pytest
from models import MODELS, inputs, one_layer

from rnnedge_device.errors import InputError
from rnnedge_export import Quantized, audit, ptq, quantize, read_model
from rnnedge_export.finetune import predict

NAMES = list(MODELS)
# Of fine-tuning, whose graph takes seconds to trace: where gradients go through every kind of layer.
TRAINED = NAMES if os.environ.get("RNNEDGE_ALL_FORMS") else ["crnn_colour", "two_branches"]
EPOCHS = {name: int(name in TRAINED) for name in NAMES}
FORMS = {name: ("loop", "unrolled") for name in NAMES} | {"label_every_step": ("loop", "unrolled", "step")}
L = keras.layers


@cache
def quantized_model(name: str) -> tuple[keras.Model, Quantized]:
    """The model and what it was quantised to."""
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    options = {"epochs": EPOCHS[name], "batch_size": 32, "form": FORMS[name]}
    return model, quantize(model, inputs(model, 96), **options)


@pytest.mark.parametrize("name", NAMES)
def test_loop_and_unrolled_give_the_same_bits(name: str) -> None:
    model, quantized = quantized_model(name)
    x = inputs(model, 40, seed=2)
    loop, unrolled = (compiled.runner().raw(x) for compiled in quantized.forms[:2])
    assert len(np.unique(loop)) > 10
    np.testing.assert_array_equal(loop, unrolled)


@pytest.mark.parametrize("name", NAMES)
def test_int8_follows_the_trained_model(name: str) -> None:
    model, quantized = quantized_model(name)
    x = inputs(model, 64, seed=4)
    real = quantized.forms[0].runner().real(x)
    trained = predict(quantized.twin, x)
    assert real.shape == (64, *model.output_shape[1:])
    scale = quantized.forms[0].form.output("y").scale
    assert np.abs(real - trained).max() <= 6 * scale
    # These models are hardly trained, their classes nearly tied: another answer must at least be as good as one.
    chosen = np.take_along_axis(trained, real.argmax(-1)[..., np.newaxis], -1)[..., 0]
    assert (trained.max(-1) - chosen).max() <= 6 * scale
    assert np.corrcoef(real.ravel(), trained.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_audit_int8_only_tie_free_and_loadable(name: str) -> None:
    _, quantized = quantized_model(name)
    for compiled in quantized.forms:
        result = audit(compiled.data)
        assert result.passed
        assert result.float_ops == {}
        assert result.ties == []
        wide = {"int16"} if "SOFTMAX" in result.ops else set()
        assert set(result.dtypes) <= {"int8", "int32", "bool"} | wide
        assert result.runtimes == {"ai-edge-litert": [], "tflite-runtime 2.14": []}
        assert result.size_bytes == len(compiled.data)


@pytest.mark.parametrize("name", NAMES)
def test_every_matrix_has_one_scale_and_is_stored_as_trained(name: str) -> None:
    """Several uses of one matrix once made the converter requantise it a scale a row, off the trained grid."""
    _, quantized = quantized_model(name)
    stored = []
    for compiled in quantized.forms:
        matrices = {
            op.inputs[1].values().tobytes(): len(op.inputs[1].scales)
            for _, op in read_model(compiled.data).operators
            if op.name == "FULLY_CONNECTED"
        }
        assert set(matrices.values()) == {1}
        stored.append(set(matrices))
    assert stored[0] == stored[1]


@pytest.mark.parametrize("name", NAMES)
def test_report_says_what_was_measured(name: str) -> None:
    _, quantized = quantized_model(name)
    report = quantized.report
    assert report["parity"]["twin_max_abs"] <= 1e-5
    assert report["parity"]["int8_noise"] < 0.1
    assert report["parity"]["int8_top1"] >= 0.9  # untrained classes nearly tie
    assert report["parity"]["int8_repeatable"] is True
    assert [row["epoch"] for row in report["history"]] == [1] * EPOCHS[name]
    for compiled in quantized.forms:
        entry = report["forms"][compiled.name]
        assert entry["size_bytes"] == len(compiled.data)
        assert entry["latency_us"] > 0
        assert entry["audit"]["passed"] is True


def test_auto_keeps_one_form_that_holds() -> None:
    model = one_layer("gru")
    quantized = quantize(model, inputs(model, 64), epochs=0, io="float32")
    assert {tensor.dtype for tensor in quantized.forms[0].form.inputs} == {"float32"}
    assert len(quantized.forms) == 1
    times = {name: entry["latency_us"] for name, entry in quantized.report["forms"].items()}
    assert set(times) == {"loop", "unrolled"}
    assert quantized.form == min(times, key=times.get)


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_fused_form_is_the_float_model(weights: str) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((8, 32)), L.LSTM(40), L.Dense(10)])
    x = inputs(model, 32)
    quantized = quantize(model, x, epochs=0, form="fused", fused_weights=weights)
    assert quantized.forms[0].form.ops["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 1
    apart = np.abs(quantized.forms[0].runner().real(x) - np.asarray(model(x))).max()
    assert apart < (1e-5 if weights == "float32" else 0.05)
    assert (apart > 1e-4) == (weights == "int8")
    again = quantized.forms[0].runner().real(np.concatenate([x[:1], x[:1]]))
    np.testing.assert_array_equal(again[0], again[1])  # no state is left from one call to the next


@pytest.mark.parametrize(
    ("name", "form", "reason"),
    [
        ("crnn_colour", "step", "mixes time steps"),
        ("stacked_bidirectional_gru", "step", "reads backwards"),
        ("two_branches", "step", "reads backwards"),
        ("label_every_step", "fused", None),
    ],
)
def test_a_form_a_model_does_not_have_is_refused(name: str, form: str, reason: str | None) -> None:
    model = MODELS[name]()
    if reason is None:  # has an LSTM: fused exists, beside a plain loop
        assert quantize(model, inputs(model, 32), epochs=0, form=form).form == "fused"
        return
    with pytest.raises(InputError, match=reason):
        quantize(model, inputs(model, 32), epochs=0, form=form)


def test_a_model_may_end_in_its_recurrent_layer() -> None:
    """Then a loop's result is the graph's own output."""
    model = keras.Sequential([keras.Input((6, 8)), L.LSTM(9)])
    x = inputs(model, 48)
    loop, unrolled = quantize(model, x, epochs=0, form=("loop", "unrolled")).forms
    np.testing.assert_array_equal(loop.runner().raw(x), unrolled.runner().raw(x))


def test_fused_needs_an_lstm() -> None:
    model = one_layer("gru")
    with pytest.raises(InputError, match="LSTM layers only"):
        quantize(model, inputs(model, 32), epochs=0, form="fused")


def test_step_form_labels_every_step() -> None:
    """With a head at every step, the step form's answers are the sequence form's rows."""
    model, quantized = quantized_model("label_every_step")
    x = inputs(model, 20, seed=5)
    whole = quantized.forms[0].runner().raw(x)
    runner = quantized.forms[2].runner()
    for sample, expected in zip(x, whole, strict=True):
        runner.stepper.reset()
        rows = [runner.stepper.step(row)[0, 0] for row in sample]
        np.testing.assert_array_equal(np.array(rows), expected)


def test_a_post_training_baseline_runs() -> None:
    """Static int8; the audit's tests convert a dynamic one, the end-to-end tests score both."""
    model = one_layer("gru")
    static = ptq(model, inputs(model, 64), "static", "unrolled")
    assert static.forms[0].form.input("x").dtype == "int8"
    assert static.report["parity"]["int8_top1"] >= 0.9
