"""A clip model streamed frame by frame is the clip model: for every cell and encoder, in int8 and in float."""

from __future__ import annotations

import itertools
import os
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from clip_models import CELLS, ENCODERS, Folded, any_length, both_ways, clip_model, clips, cnn

from rnnedge_device.bundle import read_bundle
from rnnedge_device.clip import ClipSpec
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError
from rnnedge_device.interpreter import load_model
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.selftest import self_test
from rnnedge_device.stepper import RowStepper
from rnnedge_export import Quantized, audit, graphs, quantize, read_model
from rnnedge_export.annotate import quantization_model, tracing
from rnnedge_export.batches import Batches
from rnnedge_export.calibration import calibrate
from rnnedge_export.convert import Job, convert
from rnnedge_export.finetune import finetune
from rnnedge_export.forms import Compiler, stream_equals_batch
from rnnedge_export.merging import merge
from rnnedge_export.scheme import observing
from rnnedge_export.twin import build_twin, twin_error

L = keras.layers
FRAMES = 200
# Every cell and every encoder; with RNNEDGE_ALL_FORMS (`make test-forms`) each cell over both of the plain ones.
EVERY = [("simple_rnn", "rows"), ("lstm", "cnn"), ("gru", "rows"), ("gru", "gated")]
if os.environ.get("RNNEDGE_ALL_FORMS"):
    EVERY = [*itertools.product(CELLS, ("rows", "cnn")), ("gru", "gated")]


@cache
def _made() -> dict[tuple[str, str], tuple[keras.Model, Quantized, dict[str, bytes]]]:
    """Every cell over every encoder, quantised; their conversions share one child process."""
    x = clips(24)
    models, compilers, traced, jobs = {}, {}, {}, []
    for cell, encoder in EVERY:
        model = clip_model(ENCODERS[encoder], CELLS[cell](9, return_sequences=True))
        twin = build_twin(model)
        student = quantization_model(twin)
        calibrate(student, twin, x)
        key = cell, encoder
        models[key], compilers[key] = model, Compiler(student, twin, "int8", "float32", x, 300.0)
        traced[key] = {form: graphs.trace(student, form) for form in ("step", "sequence")}
        jobs += [Job(f"{cell} {encoder} {f}", g.function, bound=g.bound) for f, g in traced[key].items()]
    results = convert(jobs)
    made = {}
    for key, compiler in compilers.items():
        files: dict[str, Any] = {form: results[f"{key[0]} {key[1]} {form}"] for form in traced[key]}
        forms = compiler.merged(traced[key], files)
        made[key] = models[key], Quantized(compiler.student, tuple(forms), teacher=compiler.twin), files
    return made


def _stream(engine: Any, x: np.ndarray) -> np.ndarray:
    """Real outputs ``[T, K]`` of an engine for the frames ``x [T, h, w, c]``, one by one."""
    stepper = RowStepper(engine, engine.form)
    return np.concatenate([engine.form.output("y").decode(stepper.step(frame)) for frame in x])


@pytest.mark.parametrize(("cell", "encoder"), EVERY)
def test_stream_equals_batch(cell: str, encoder: str) -> None:
    _, quantized, _ = _made()[cell, encoder]
    step, sequence = (compiled.runner() for compiled in quantized.forms)
    stream = clips(1, FRAMES, seed=3)
    one_by_one = step.raw(stream)
    assert one_by_one.shape == (1, FRAMES, 4)
    assert one_by_one.dtype == np.int8
    assert len(np.unique(one_by_one)) > 40  # a graph that answers nothing would agree with itself, too
    np.testing.assert_array_equal(one_by_one, sequence.raw(stream))
    # The state is carried, not begun anew with each window.
    last = sequence.raw(stream[:, -4:])
    assert (last != one_by_one[:, -4:]).any()
    assert stream_equals_batch(*quantized.forms, stream.reshape(50, 4, *stream.shape[2:])) == {
        "max_abs": 0.0,
        "frames": FRAMES,
    }


@pytest.mark.parametrize(("cell", "encoder"), EVERY)
def test_streamed_float_model_is_the_keras_model(cell: str, encoder: str) -> None:
    model, quantized, _ = _made()[cell, encoder]
    stream = clips(1, FRAMES, seed=3)
    whole = np.asarray(any_length(model)(stream, training=False))[0]
    assert whole.std() > 0.05
    assert np.abs(_stream(quantized.engine("float"), stream[0]) - whole).max() <= 1e-5


@pytest.mark.parametrize(("cell", "encoder"), EVERY)
def test_int8_stream_follows_the_trained_one(cell: str, encoder: str) -> None:
    """Over a stream fifty times as long as the clips it was calibrated on."""
    _, quantized, _ = _made()[cell, encoder]
    stream = clips(1, FRAMES, seed=3)[0]
    trained, int8 = (_stream(quantized.engine(kind), stream) for kind in ("qat", "int8"))
    scale = quantized.forms[0].form.output("y").scale
    assert np.abs(int8 - trained).max() <= 12 * scale
    assert np.corrcoef(int8.ravel(), trained.ravel())[0, 1] > 0.995
    float_ = _stream(quantized.engine("float"), stream)
    assert np.corrcoef(int8.ravel(), float_.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(("cell", "encoder"), EVERY)
def test_one_file_audited_with_tied_states(cell: str, encoder: str) -> None:
    _, quantized, files = _made()[cell, encoder]
    step, sequence = quantized.forms
    assert step.data == sequence.data
    states = ("h0", "c0") if cell == "lstm" else ("h0",)
    for compiled in quantized.forms:
        form = compiled.form
        assert form.signature == form.name
        assert [state.input for state in form.states] == list(states)
        for state in form.states:
            before, after = form.input(state.input), form.output(state.output)
            assert (before.shape, before.scale, before.zero_point) == ((1, 9), after.scale, after.zero_point)
        result = audit(compiled.data, signature=form.name)
        assert result.passed
        assert result.float_ops == {}
        assert result.ties == []
        assert result.runtimes == {"ai-edge-litert": [], "tflite-runtime 2.14": []}
        assert result.ops == audit(files[form.name]).ops
        assert result.macs == audit(files[form.name]).macs
    # A window is its frames: the same multiply-adds each.
    assert sequence.audit.macs == 4 * step.audit.macs
    model = read_model(step.data)
    assert [signature.key for signature in model.signatures] == ["step", "sequence"]
    assert step.form.input("h0") == sequence.form.input("h0")
    assert step.form.input("x").scale == sequence.form.input("x").scale


def test_merged_file_holds_what_its_parts_hold_and_weights_once() -> None:
    _, quantized, files = _made()["gru", "rows"]
    stream = clips(1, 40, seed=4)
    merged = merge(files)
    assert len(merged) < sum(map(len, files.values())) - 1000

    def constants(data: bytes) -> set[bytes]:
        graphs_ = read_model(data).subgraphs
        return {t.data for graph in graphs_ for t in graph.tensors if len(set(t.data)) > 32}

    assert constants(merged) == constants(files["step"]) | constants(files["sequence"])
    whole = sum(merged.count(data) for data in constants(merged))
    assert whole == len(constants(merged))
    for compiled in quantized.forms:
        alone = RowStepper(load_model(files[compiled.name]), compiled.form)
        runner = compiled.runner()
        encoded = runner.encode(stream[0])
        np.testing.assert_array_equal(
            np.concatenate([alone.feed(part).reshape(-1, 4) for part in encoded]), runner.run(encoded)[0]
        )


def test_channels_fitted_for_int8_compute_what_they_did() -> None:
    x = clips(6)
    twin = build_twin(clip_model(cnn, L.GRU(5, return_sequences=True)))
    student = quantization_model(twin)
    kernels = {w.name: w for w in student.weights if "depthwise_kernel:" in w.name}
    assert len(kernels) == 1
    for kernel in kernels.values():
        np.testing.assert_allclose(np.abs(kernel).max(axis=(0, 1)), 1, rtol=1e-6)
    with observing(), tracing(student, "float"):
        assert np.abs(student(x, training=False) - twin(x)).max() < 1e-3
    assert np.asarray(twin(x)).std() > 0.05


def test_a_dead_channel_stays_dead_whatever_its_scale() -> None:
    _, quantized, _ = _made()["lstm", "cnn"]
    for _, op in read_model(quantized.tflite).operators:
        if op.name == "CONV_2D":
            real = np.abs(op.inputs[1].values()).max(axis=(1, 2, 3)) * np.array(op.inputs[1].scales)
            assert real[0] < 2.0**-9 * real.max()


@cache
def _whole() -> tuple[keras.Model, Quantized]:
    """By ``quantize`` itself: rows read both ways, a layer per frame, two cells over time, a fine-tuned epoch."""
    model = clip_model(
        both_ways,
        Folded(L.Dense(8, activation="relu"), name="features"),
        L.GRU(7, reset_after=False, return_sequences=True),
        L.Dropout(0.2),
        L.LSTM(6, return_sequences=True),
        length=5,
    )
    labels = np.random.default_rng(1).integers(0, 4, (24, 5))
    return model, quantize(model, clips(24, 5), labels, epochs=1, batch_size=8)


def test_quantize_gives_both_forms_and_says_what_was_measured() -> None:
    _, quantized = _whole()
    assert quantized.form == "step"
    assert [compiled.name for compiled in quantized.forms] == ["step", "sequence"]
    report = quantized.report
    assert report["stream_equals_batch"] == {"max_abs": 0.0, "frames": FRAMES}
    assert report["parity"]["twin_max_abs"] <= 1e-5
    assert 0 <= report["history"][0]["accuracy"] <= 1
    assert quantized.forms[0].parity.samples == 24
    assert [state.input for state in quantized.forms[0].form.states] == ["h0", "h1", "c1"]
    assert quantized.forms[1].form.output("y").shape == (1, 5, 4)
    for name in ("step", "sequence"):
        assert report["forms"][name]["latency_us"] > 0


def test_clip_bundle_streams_in_the_device_code(tmp_path) -> None:
    """All three arithmetics through the device's one code path, from the bundle's preprocessing on."""
    model, quantized = _whole()
    frames = np.round(clips(1, 23, seed=8)[0, ..., 0] * 255).astype(np.uint8)
    preprocess = Preprocess((12, 10), "gray")
    clip = ClipSpec(10.0, 1, 5)
    path = tmp_path / "clip.rnnedge"
    quantized.save(path, labels=list("abcd"), preprocess=preprocess, golden=frames[:7], clip=clip)
    bundle = read_bundle(path)
    assert set(bundle.manifest.files) == {"model.tflite", "golden.npz"}
    assert bundle.manifest.clip == clip
    assert self_test(bundle)["ok"] is True
    device = ClipModel(bundle)
    pixels = [preprocess.pixels(frame) for frame in frames]
    stream = device.open_stream()
    streamed = np.stack([stream.step(frame).raw for frame in pixels])
    np.testing.assert_array_equal(streamed, device.sequence(np.stack(pixels)))
    whole = np.asarray(any_length(model)(np.stack([preprocess(f) for f in frames])[np.newaxis]))[0]
    for kind, allowed in (("float", 1e-5), ("qat", 0.2)):
        engine = quantized.engine(kind)
        other = ClipModel.of(engine, engine.form, bundle.manifest).open_stream()
        assert np.abs(np.stack([other.step(frame).raw for frame in pixels]) - whole).max() < allowed
    engine = quantized.engine("int8")
    again = ClipModel.of(engine, engine.form, bundle.manifest).open_stream()
    np.testing.assert_array_equal(streamed, np.stack([again.step(frame).raw for frame in pixels]))


def test_save_and_engine_refuse_what_does_not_fit(tmp_path) -> None:
    _, quantized = _whole()
    with pytest.raises(InputError, match="clip: None for a clip model"):
        quantized.save(tmp_path / "clip.rnnedge")
    with pytest.raises(InputError, match="engine: 'int4'"):
        quantized.engine("int4")
    assert not list(tmp_path.iterdir())


class _Weighted(keras.utils.PyDataset):
    """Batches ``(x, y, w)``."""

    def __init__(self, *arrays: np.ndarray) -> None:
        super().__init__()
        self.arrays = arrays

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return tuple(array[index * 8 : (index + 1) * 8] for array in self.arrays)


def test_weights_of_zero_leave_frames_out_of_the_loss() -> None:
    """Padding may hold any label: not a bit of what is learned changes, nor a figure of the report."""
    x = clips(16)
    valid = np.arange(4) < np.random.default_rng(2).integers(1, 4, (16, 1))
    y = np.random.default_rng(3).integers(0, 4, (16, 4))
    other = np.where(valid, y, (y + 1) % 4)
    assert (other != y).any()

    def learned(labels: np.ndarray, weights: np.ndarray) -> tuple[list, list[np.ndarray]]:
        model = clip_model(cnn, L.SimpleRNN(5, return_sequences=True))
        twin = build_twin(model)
        student = quantization_model(twin)
        calibrate(student, twin, x)
        batches = Batches(_Weighted(x, labels, weights), None, 8, x.shape[1:])
        history = finetune(
            student, twin, batches, epochs=1, learning_rate=1e-2, validation=(x, labels, weights)
        )
        return history, student.get_weights()

    history, weights = learned(y, valid)
    same_history, same = learned(other, valid)
    assert history == same_history
    for a, b in zip(weights, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert learned(other, np.ones_like(valid))[0] != history


def test_weights_that_do_not_fit_their_labels_are_refused() -> None:
    batches = Batches(_Weighted(clips(16), np.zeros((16, 4), int), np.ones((16, 1))), None, 8, (4, 12, 10, 1))
    with pytest.raises(InputError, match=r"w: weights of shape \(8, 1\) for labels y of shape \(8, 4\)"):
        next(batches.epoch())


def _plain(*over_time: keras.layers.Layer, length: int | None = 4) -> keras.Model:
    return clip_model(cnn, *over_time, length=length)


REFUSED = {
    "backwards": (
        lambda: _plain(L.LSTM(4, return_sequences=True, go_backwards=True, name="b")),
        "'b' (LSTM) over time",
    ),
    "both ways": (
        lambda: _plain(L.Bidirectional(L.LSTM(4, return_sequences=True), name="b")),
        "'b' (Bidirectional) over time cannot be quantised; a stream knows the past only",
    ),
    "last only": (
        lambda: _plain(L.GRU(4, name="g")),
        "'g' (GRU) over time cannot be quantised; a clip model answers",
    ),
    "no memory": (lambda: _plain(), "no SimpleRNN, LSTM or GRU over time"),
    "mixes frames": (
        lambda: _plain(L.Permute((2, 1), name="p"), L.Permute((2, 1)), L.GRU(4, return_sequences=True)),
        "'p' (Permute) over time cannot be quantised; it mixes frames",
    ),
    "varying length": (
        lambda: _plain(L.GRU(4, return_sequences=True), length=None),
        "an input of shape (None, None, 12, 10, 1) cannot be quantised; fixed sizes",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_clip_models_that_cannot_be_streamed_are_refused(case: str) -> None:
    build, message = REFUSED[case]
    with pytest.raises(InputError) as error:
        quantize(build(), clips(8), epochs=0)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "form", "message"),
    [
        (
            lambda: _plain(L.GRU(4, return_sequences=True)),
            "loop",
            "form: 'loop'; a clip model has 'step' and 'sequence'",
        ),
        (
            lambda: keras.Sequential([keras.Input((12, 10)), L.GRU(4)]),
            "sequence",
            "'sequence' is for clip models",
        ),
    ],
)
def test_forms_of_another_kind_of_model_are_refused(make: Any, form: str, message: str) -> None:
    model = make()
    with pytest.raises(InputError, match=message):
        quantize(model, np.zeros((8, *model.input_shape[1:])), epochs=0, form=form)


def test_twin_of_plain_time_distributed_layers_and_of_names_that_are_there_twice() -> None:
    frames = keras.Input((4, 12, 10, 1))
    inner = keras.Sequential([keras.Input((12, 10, 1)), L.Flatten(), L.Dense(6, name="dense")])
    x = L.TimeDistributed(L.Dense(5), name="dense")(L.TimeDistributed(inner)(frames))
    model = keras.Model(frames, L.Dense(3)(L.GRU(4, return_sequences=True)(x)))
    assert twin_error(model, build_twin(model), clips(6)) <= 1e-6
