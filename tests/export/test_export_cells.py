"""One cell in four places: Keras 3, plain NumPy, the TFLite graph, the device's loop."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from models import CELLS, inputs, one_layer

from rnnedge_device.bundle import read_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.clip import ClipSpec
from rnnedge_device.errors import InputError
from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_model
from rnnedge_device.selftest import self_test
from rnnedge_device.stepper import RowStepper
from rnnedge_export import Quantized, quantize, read_model
from rnnedge_export.annotate import quantization_model, recurrent_layers, tracing
from rnnedge_export.auditing import ties
from rnnedge_export.convert import TIME_LIMIT_S
from rnnedge_export.forms import Compiler
from rnnedge_export.scheme import DERIVED, observing
from rnnedge_export.twin import build_twin

KINDS = list(CELLS)
FORMS = ("loop", "unrolled", "step")


@cache
def _quantized(kind: str) -> tuple[keras.Model, Quantized]:
    """The model and what it was quantised to, in every form; all tests that need either lie in this file."""
    model = one_layer(kind)
    return model, quantize(model, inputs(model, 96), epochs=1, batch_size=32, form=FORMS)


def _numpy(kind: str, weights: list, x: np.ndarray, q: reference.Q = reference.exact) -> np.ndarray:
    """Every state after every step: ``[T, states, B, units]``."""
    step, count = CELLS[kind][1:]
    states = [np.zeros((len(x), weights[1].shape[0]), np.float32)] * count
    trace = []
    for t in range(x.shape[1]):
        states = step(x[:, t], states, weights, q)
        trace.append(states)
    return np.array(trace)


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_reference_is_the_keras_cell(kind: str) -> None:
    model = one_layer(kind)
    x = inputs(model, 5)
    layer = model.get_layer("cell")
    ours = _numpy(kind, layer.get_weights(), x)[-1, 0]
    assert np.abs(np.asarray(layer(x)) - ours).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_quantised_layer_in_float_is_the_reference(kind: str) -> None:
    model = one_layer(kind)
    x = inputs(model, 5)
    student = quantization_model(build_twin(model))
    (layer,) = recurrent_layers(student)
    with observing(), tracing(student, "float"):
        student(tf.constant(x), training=False)
        y, states = layer.call(tf.constant(x), return_state=True)
    ours = _numpy(kind, model.get_layer("cell").get_weights(), x)[-1]
    assert np.abs(y.numpy() - ours[0]).max() < 1e-5
    for state, expected in zip(states, ours, strict=True):
        assert np.abs(state.numpy() - expected).max() < 1e-5


def _site_ranges(layer: object) -> dict[str, tuple[float, float]]:
    found = dict(layer.fixed)
    for name in ("sigmoid", "tanh"):
        found.setdefault(name, {"sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}[name])
    for site, bounds in layer.sites.ranges.items():
        found[site] = (float(bounds["min_var"]), float(bounds["max_var"]))
    for site, (source, factor) in DERIVED.items():
        if source in found:
            found[site] = (found[source][0] * factor, found[source][1] * factor)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_tflite_step_follows_the_quantised_reference(kind: str) -> None:
    """Each step alone, from the states the graph itself reached: at most 1 LSB off, nearly always equal."""
    _, quantized = _quantized(kind)
    (layer,) = recurrent_layers(quantized.twin)
    compiled = quantized.forms[2]
    form: Form = compiled.form
    model = load_model(compiled.data)
    stepper = RowStepper(model, form)
    q = reference.quantizer(_site_ranges(layer))
    weights = _grid_weights(kind, compiled.data, layer)
    off = total = 0
    for sample in inputs(one_layer(kind), 12, seed=1):
        stepper.reset()
        for row in sample:
            before = {k: form.input(k).decode(v) for k, v in stepper.states.items()}
            seen = form.input("x").decode(form.input("x").encode(row))
            ordered = [before[name] for name in (["h0", "c0"] if "c0" in before else ["h0"])]
            expected = CELLS[kind][1](seen.reshape(1, -1), ordered, weights, q)
            stepper.step(row)
            for name, real in zip(["h0", "c0"], expected, strict=False):
                apart = np.abs(stepper.states[name].astype(int) - form.input(name).encode(real).astype(int))
                assert apart.max() <= 1
                off, total = off + int((apart > 0).sum()), total + apart.size
    assert off / total < 0.01


def _keras_order(array: np.ndarray) -> np.ndarray:
    i, f, o, g = np.split(array, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


def _grid_weights(kind: str, data: bytes, layer: object) -> list[np.ndarray]:
    """The layer's weights as the file holds them: on their int8 grid, in Keras's gate order."""
    stored = {
        op.inputs[1].shape[::-1]: op.inputs[1].values().T.astype(np.float32)
        * np.float32(op.inputs[1].scales[0])
        for _, op in read_model(data).operators
        if op.name == "FULLY_CONNECTED"
    }
    kernel = stored[tuple(layer.settings["weight_shapes"]["kernel"])]
    recurrent = stored[tuple(layer.settings["weight_shapes"]["recurrent_kernel"])]
    bias = layer.bias.numpy()
    if kind == "lstm":
        return [_keras_order(a) for a in (kernel, recurrent, bias)]
    if kind == "gru":
        return [kernel, recurrent, np.stack([bias, layer.recurrent_bias.numpy()])]
    if kind == "gru-reset-before":
        candidate = stored[tuple(layer.settings["weight_shapes"]["candidate_kernel"])]
        return [kernel, np.concatenate([recurrent, candidate], -1), bias]
    return [kernel, recurrent, bias]


@pytest.mark.parametrize("kind", KINDS)
def test_forms_and_device_loop_give_the_same_bits(kind: str) -> None:
    model, quantized = _quantized(kind)
    x = inputs(model, 40, seed=2)
    loop, unrolled, step = (compiled.runner().raw(x) for compiled in quantized.forms)
    assert loop.dtype == np.int8
    assert len(np.unique(loop)) > 20  # a graph that answers nothing would agree with itself, too
    np.testing.assert_array_equal(loop, unrolled)
    np.testing.assert_array_equal(loop, step)


@pytest.mark.parametrize("kind", KINDS)
def test_states_carry_over_losslessly(kind: str) -> None:
    """Tied scales: a state's bytes go in as they came out. Half a sequence, then the rest, is the whole."""
    model, quantized = _quantized(kind)
    compiled = quantized.forms[2]
    form = compiled.form
    for state in form.states:
        before, after = form.input(state.input), form.output(state.output)
        assert (before.scale, before.zero_point) == (after.scale, after.zero_point)
    x = inputs(model, 1, seed=3)[0]
    stepper = RowStepper(load_model(compiled.data), form)
    for row in x:
        whole = stepper.step(row)
    first, second = RowStepper(load_model(compiled.data), form), load_model(compiled.data)
    for row in x[:4]:
        first.step(row)
    states = first.states
    for row in x[4:]:
        found = second.run({"x": form.input("x").encode(row), **states})
        states = {state.input: found[state.output] for state in form.states}
    np.testing.assert_array_equal(found["y"], whole)


@pytest.mark.parametrize("kind", KINDS)
def test_every_product_of_a_cell_is_tie_free(kind: str) -> None:
    _, quantized = _quantized(kind)
    for compiled in quantized.forms:
        products = [
            op for _, op in read_model(compiled.data).operators if op.name in ("MUL", "FULLY_CONNECTED")
        ]
        assert len(products) >= 2
        assert ties(read_model(compiled.data)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_multiply_adds_are_those_of_the_layer(kind: str) -> None:
    _, quantized = _quantized(kind)
    gates = {"lstm": 4, "gru": 3, "gru-reset-before": 3}.get(kind, 1)
    expected = 8 * (8 + 12) * gates * 12 + 12 * 10
    loop, unrolled, step = (compiled.audit.macs for compiled in quantized.forms)
    assert loop == unrolled == expected
    assert step == (8 + 12) * gates * 12 + 12 * 10


def test_float_border_is_the_int8_graph_behind_it() -> None:
    model, quantized = _quantized("lstm")
    x = inputs(model, 48)
    compiler = Compiler(quantized.twin, quantized.teacher, "float32", "float32", x, TIME_LIMIT_S)
    found, _ = compiler.images(FORMS)
    assert tuple(compiled.name for compiled in found) == FORMS
    for compiled, inside in zip(found, quantized.forms, strict=True):
        assert {t.dtype for t in compiled.form.inputs + compiled.form.outputs} == {"float32"}
        assert set(compiled.audit.float_ops) == {"QUANTIZE", "DEQUANTIZE"}
        expected = inside.runner().real(x)
        np.testing.assert_allclose(compiled.runner().real(x), expected, atol=1e-6, err_msg=compiled.name)


def test_bundle_of_several_forms_round_trips(tmp_path, scans) -> None:
    _, quantized = _quantized("lstm")
    images = np.round(scans[0][:6] * 255).astype(np.uint8)
    path = tmp_path / "cell.rnnedge"
    quantized.save(path, labels=list("abcdefghij"), golden=images, metrics={"data": "noise"})
    bundle = read_bundle(path)
    assert [form.name for form in bundle.manifest.forms] == ["loop", "unrolled", "step"]
    assert self_test(bundle)["ok"] is True
    scores = [Classifier(bundle, form).predict(images[0]).raw for form in ("loop", "unrolled", "step")]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
    assert bundle.manifest.metrics["int8_top1"] == quantized.report["parity"]["int8_top1"]
    assert bundle.manifest.metrics["data"] == "noise"


def test_save_a_plain_tflite_and_refuse_wrong_labels(tmp_path) -> None:
    _, quantized = _quantized("lstm")
    quantized.save(tmp_path / "cell.tflite")
    assert (tmp_path / "cell.tflite").read_bytes() == quantized.tflite
    with pytest.raises(InputError, match="labels: 3 names for 10 outputs"):
        quantized.save(tmp_path / "cell.rnnedge", labels=["a", "b", "c"])
    with pytest.raises(InputError, match=r"clip: ClipSpec.* for an image model"):
        quantized.save(tmp_path / "cell.rnnedge", clip=ClipSpec(10.0, 1, 5))
    assert not (tmp_path / "cell.rnnedge").exists()
    with pytest.raises(InputError, match="engine: 'float' of an image model"):
        quantized.engine("float")


def test_finished_file_keeps_buffers_aligned() -> None:
    """The schema demands 16-byte alignment of constants; a file packed without it can fault on ARM."""
    from ai_edge_litert import schema_py_generated as schema

    _, quantized = _quantized("lstm")
    data = quantized.tflite
    model = schema.Model.GetRootAs(data, 0)
    start = np.frombuffer(data, np.uint8).ctypes.data
    seen = 0
    for index in range(model.BuffersLength()):
        values = model.Buffers(index).DataAsNumpy()
        if isinstance(values, np.ndarray):
            assert (values.ctypes.data - start) % 16 == 0
            seen += 1
    assert seen > 3
