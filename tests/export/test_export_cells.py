"""One cell in four places: Keras 3, plain NumPy, the TFLite graph, the device's loop."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import tensorflow as tf
from models import CELLS, inputs, one_layer

from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_model
from rnnedge_device.stepper import RowStepper
from rnnedge_export.annotate import quantization_model, recurrent_layers, tracing
from rnnedge_export.scheme import DERIVED, observing
from rnnedge_export.twin import build_twin

KINDS = list(CELLS)


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
def test_tflite_step_follows_the_quantised_reference(kind: str, quantized_cell) -> None:
    """Each step alone, from the states the graph itself reached: at most 1 LSB off, nearly always equal."""
    _, quantized = quantized_cell(kind)
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
    from rnnedge_export.flatbuffer import read_model

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
def test_forms_and_device_loop_give_the_same_bits(kind: str, quantized_cell) -> None:
    model, quantized = quantized_cell(kind)
    x = inputs(model, 40, seed=2)
    loop, unrolled, step = (compiled.runner().raw(x) for compiled in quantized.forms)
    assert loop.dtype == np.int8
    assert len(np.unique(loop)) > 20  # a graph that answers nothing would agree with itself, too
    np.testing.assert_array_equal(loop, unrolled)
    np.testing.assert_array_equal(loop, step)


@pytest.mark.parametrize("kind", KINDS)
def test_states_carry_over_losslessly(kind: str, quantized_cell) -> None:
    """Tied scales: a state's bytes go in as they came out. Half a sequence, then the rest, is the whole."""
    model, quantized = quantized_cell(kind)
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
