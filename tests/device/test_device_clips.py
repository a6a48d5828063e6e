"""The clip model on real step models: the state carried, kept apart for each source, and reset when it must be."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tiny_clips import CUT, LABELS, RATE, brightness, fed, frames, noise

from rnnedge_device.bundle import Bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.interpreter import load_model
from rnnedge_device.source import Frame
from rnnedge_device.stepper import RowStepper

KINDS = ["light", "int8"]


def raws(predictions):
    return np.stack([prediction.raw for prediction in predictions])


def alone(model, given, name=""):
    """What a fresh stream says to the frames."""
    return fed(model.open_stream(name), given)


def answers(predictions):
    """All of a prediction but how long it took and where it came from."""
    return [(p.raw.tolist(), p.label, p.score, p.ts_ms, p.events, p.running, p.reset) for p in predictions]


def light(ts_ms):
    """A frame of the film whose light changes."""
    return Frame(np.full((40, 40), round(brightness(ts_ms)), np.uint8), 0, ts_ms)


# --- the state -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_carried_from_frame_to_frame_byte_by_byte(tiny_clips, kind):
    """Against a loop that hands the states over itself."""
    model, form = load_model(tiny_clips.models[kind], signature="step"), tiny_clips.form("step", kind)
    states = RowStepper(model, form).states
    found = alone(tiny_clips.model(kind), frames(noise(30)))
    assert len(found) == 30
    for pixels, prediction in zip(noise(30), found, strict=True):
        x = form.input("x").encode(pixels.astype(np.float32) * np.float32(1 / 255))
        outputs = model.run({"x": x, **states})
        assert (prediction.raw == outputs["y"][0]).all()
        states = {name: outputs[f"{name}_next"] for name in states}
    assert any(state.any() for state in states.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_depends_on_frames_long_past(tiny_clips, kind):
    """Or the tests of bleeding below would show nothing."""
    model, pixels = tiny_clips.model(kind), noise(12)
    other = np.concatenate([noise(4, seed=1), pixels[4:]])
    assert (raws(alone(model, frames(pixels)))[8:] != raws(alone(model, frames(other)))[8:]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_interleaved_streams_give_exactly_what_each_gives_alone(tiny_clips, kind):
    model = tiny_clips.model(kind, scene_cut=CUT)
    given = [
        frames(noise(60, seed=1)),
        frames(noise(40, seed=2), interval_ms=37.0),
        frames(np.repeat(noise(4, seed=3), 12, axis=0), interval_ms=150.0, start_ms=9000.0),
    ]
    expected = [alone(model, own) for own in given]
    streams, found = [model.open_stream(str(number)) for number in range(3)], [[], [], []]
    waiting = [list(own) for own in given]
    rng = np.random.default_rng(7)
    while any(waiting):
        number = int(rng.integers(3))
        if waiting[number]:
            found[number] += streams[number].feed(waiting[number].pop(0))
    for number in range(3):
        assert answers(found[number]) == answers(expected[number])
        assert {prediction.source for prediction in found[number]} == {str(number)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_stream_equals_a_fresh_one(tiny_clips, kind):
    model = tiny_clips.model(kind, scene_cut=CUT)
    stream, later = model.open_stream(), frames(noise(50, seed=4), interval_ms=40.0, start_ms=2000.0)
    fed(stream, frames(noise(50, seed=3)))
    stream.reset()
    found, fresh = fed(stream, later), alone(model, later)
    assert found[0].reset == "demand"
    assert answers([replace(found[0], reset="start"), *found[1:]]) == answers(fresh)


def test_reset_of_the_model_resets_every_stream(tiny_clips):
    model = tiny_clips.model()
    streams = [model.open_stream(), model.open_stream()]
    for stream in streams:
        fed(stream, frames(noise(5)))
    model.reset()
    for stream in streams:
        assert [p.reset for p in fed(stream, frames(noise(3), start_ms=500.0))] == ["demand", "", ""]
        assert dict(stream.resets) == {"start": 1, "demand": 1}


def test_a_stream_begins_with_the_reset_values_of_its_states(tiny_clips):
    """The light model takes the world before the first frame for middle grey."""
    model, grey = tiny_clips.model(), np.full((8, 8, 1), 128, np.uint8)
    assert model.open_stream().step(grey).label == "still"
    assert model.open_stream().step(grey + 40).label == "brighter"
    assert model.open_stream().step(grey - 40).label == "darker"


# --- resets --------------------------------------------------------------------------------------------


def test_a_gap_begins_anew_and_a_pause_within_the_limit_does_not(tiny_clips):
    model = tiny_clips.model(max_gap_ms=700.0)
    before, after = frames(noise(10)), noise(10, seed=1)
    for pause, reason in ((700.0, ""), (700.1, "gap")):
        stream, later = model.open_stream(), frames(after, start_ms=900.0 + pause)
        fed(stream, before)
        found = fed(stream, later)
        assert found[0].reset == reason
        assert stream.resets["gap"] == bool(reason)
        same = [(a.raw == b.raw).all() for a, b in zip(found[-9:], alone(model, later)[-9:], strict=True)]
        assert all(same) == bool(reason)


def test_time_that_goes_back_is_a_gap_too(tiny_clips):
    stream = tiny_clips.model().open_stream()
    fed(stream, frames(noise(10)))
    assert [p.reset for p in fed(stream, frames(noise(3)))] == ["gap", "", ""]


def test_a_scene_cut_begins_anew_with_the_new_scenes_first_frame(tiny_clips):
    scene = np.repeat(noise(1), 15, axis=0)
    other = 255 - scene
    given, second = frames(np.concatenate([scene, other])), frames(other, start_ms=1500.0)
    model = tiny_clips.model(scene_cut=CUT)
    stream = model.open_stream()
    found = fed(stream, given)
    assert [number for number, p in enumerate(found) if p.reset] == [0, 15]
    assert dict(stream.resets) == {"start": 1, "cut": 1}
    fresh = alone(model, second)
    assert answers([replace(found[15], reset="start"), *found[16:]]) == answers(fresh)
    blind = alone(tiny_clips.model(), given)
    assert [p.reset for p in blind[1:]] == [""] * 29
    assert (blind[-1].raw != found[-1].raw).any()


def test_what_a_reset_interrupts_ends_with_the_last_step_before_it(tiny_clips):
    """It gets brighter until the camera is gone for five seconds."""
    stream = tiny_clips.model().open_stream()
    fed(stream, [light(ts_ms) for ts_ms in range(0, 1700, 100)])
    assert stream.running == ("brighter",)
    (found,) = stream.feed(Frame(np.full((9, 9), 128, np.uint8), 0, 6600.0))
    assert found.reset == "gap"
    assert [(e["event"], e["start_ms"], e["end_ms"], e["ts_ms"]) for e in found.events] == [
        ("end", 1100.0, 1600.0, 1600.0)
    ]
    assert found.running == stream.running == ()


# --- the rate ------------------------------------------------------------------------------------------


def test_frames_are_picked_at_the_models_rate(tiny_clips):
    """Thirty frames a second for a model of ten: every third, and nothing but those."""
    model, pixels = tiny_clips.model(), noise(90)
    stream = model.open_stream()
    counts = [len(stream.feed(frame)) for frame in frames(pixels, interval_ms=1000 / 30)]
    assert counts == [1, 0, 0] * 30
    found = alone(model, frames(pixels, interval_ms=1000 / 30))
    assert (raws(found) == raws(alone(model, frames(pixels[::3])))).all()


def test_two_cameras_of_one_scene_give_the_same_answer(tiny_clips):
    """At a rate of both, to the bit."""
    model = tiny_clips.model(fps=15.0)  # 7.5 steps a second
    found = {fps: alone(model, [light(n * 1000 / fps) for n in range(5 * fps)]) for fps in (15, 30)}
    assert (raws(found[15]) == raws(found[30])).all()
    assert [p.ts_ms for p in found[15]] == pytest.approx([p.ts_ms for p in found[30]])
    assert {p.label for p in found[15]} == set(LABELS)


def test_a_rate_that_is_no_share_of_the_cameras_gives_the_same_events(tiny_clips):
    model = tiny_clips.model()
    told = []
    for fps in (10, 15, 24, 30):
        found = alone(model, [light(n * 1000 / fps) for n in range(5 * fps)])
        told.append([event for p in found[1:] for event in p.events])
    for events in told:
        assert [(e["event"], e["label"]) for e in events] == [(e["event"], e["label"]) for e in told[0]]
        times = [e["ts_ms"] for e in events]
        assert times == pytest.approx([e["ts_ms"] for e in told[0]], abs=1000 / 15 + 1)
    assert len(told[0]) == 4


def test_a_frame_of_a_slow_source_is_held(tiny_clips):
    model, pixels = tiny_clips.model(), noise(6)
    stream = model.open_stream()
    found = [stream.feed(frame) for frame in frames(pixels, interval_ms=200.0)]
    counts = [len(steps) for steps in found]
    assert counts[0] == 1
    assert set(counts[1:]) <= {2, 3}
    held = model.open_stream()
    for steps, image in zip(found, pixels, strict=True):
        assert (raws(steps) == [held.step(image).raw for _ in steps]).all()
    times = [step.ts_ms for steps in found for step in steps]
    assert (np.diff(times) > 0).all()
    assert [steps[-1].ts_ms for steps in found] == [200.0 * number for number in range(6)]


# --- predictions and events ----------------------------------------------------------------------------


def test_the_fields_of_a_prediction_fit_each_other(tiny_clips):
    model = tiny_clips.model("int8")
    for prediction in alone(model, frames(noise(5)), "hall"):
        y = model.form.output("y")
        logits = (prediction.raw.astype(np.float64) - y.zero_point) * y.scale
        assert prediction.raw.dtype == np.int8
        assert prediction.scores == pytest.approx(np.exp(logits) / np.exp(logits).sum(), abs=1e-5)
        assert prediction.index == prediction.scores.argmax()
        assert prediction.label == LABELS[prediction.index]
        assert prediction.score == prediction.scores[prediction.index]
        assert prediction.source == "hall"
        assert 0 < prediction.latency_us < prediction.total_us


def test_events_tell_what_happened_and_when(tiny_clips):
    """The light rises from 1 to 2 s and falls from 3 to 4 s; a step each 100 ms sees it a step later."""
    stream = tiny_clips.model().open_stream()
    found = fed(stream, [light(ts_ms) for ts_ms in range(0, 5000, 100)])
    events = [event for prediction in found[1:] for event in prediction.events]
    assert [(e["event"], e["label"], e["ts_ms"]) for e in events] == [
        ("start", "brighter", 1300.0),
        ("end", "brighter", 2100.0),
        ("start", "darker", 3300.0),
        ("end", "darker", 4100.0),
    ]
    assert [(e["start_ms"], e["end_ms"]) for e in events[1::2]] == [(1100.0, 2100.0), (3100.0, 4100.0)]
    assert stream.finish() == []
    running = [prediction.ts_ms for prediction in found if "brighter" in prediction.running]
    assert running == list(np.arange(1300.0, 2100.0, 100.0))


def test_the_end_of_the_source_ends_what_runs(tiny_clips):
    stream = tiny_clips.model().open_stream()
    fed(stream, [light(ts_ms) for ts_ms in range(0, 1800, 100)])
    (end,) = stream.finish()
    assert (end["event"], end["label"], end["start_ms"], end["end_ms"]) == ("end", "brighter", 1100, 1700)
    assert stream.finish() == []


# --- step by step and whole clips ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_stepping_on_model_frames_equals_feeding_them_at_the_models_rate(tiny_clips, kind):
    model, pixels = tiny_clips.model(kind), noise(25)
    stream = model.open_stream()
    stepped = [stream.step(image) for image in pixels]
    assert answers(stepped) == answers(alone(model, frames(pixels)))
    assert [p.ts_ms for p in stepped] == pytest.approx([number * 1000 / RATE for number in range(25)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 200, 203])
def test_a_sequence_equals_the_steps(tiny_clips, kind, count):
    """In fours with the state carried, the rest one by one: the same numbers."""
    model, pixels = tiny_clips.model(kind), noise(count)
    stream = model.open_stream()
    steps = [stream.step(image).raw for image in pixels]
    whole = model.sequence(pixels)
    assert whole.shape == (count, 3)
    assert whole.dtype.name == model.form.output("y").dtype
    if kind == "int8":
        assert whole.tolist() == [raw.tolist() for raw in steps]
    else:
        assert whole == pytest.approx(np.array(steps).reshape(count, 3), abs=1e-5)
    # Each call begins from reset.
    assert (model.sequence(pixels) == whole).all()


def test_a_sequence_leaves_open_streams_alone(tiny_clips):
    model, pixels = tiny_clips.model(), noise(20)
    expected = raws(alone(model, frames(pixels)))
    stream = model.open_stream()
    first = fed(stream, frames(pixels)[:10])
    model.sequence(noise(11, seed=9))
    assert (raws([*first, *fed(stream, frames(pixels)[10:])]) == expected).all()


def test_what_is_not_a_model_frame_is_refused(tiny_clips):
    model = tiny_clips.model()
    for bad in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 1), np.float32), np.zeros((9, 8, 1), np.uint8)):
        with pytest.raises(InputError, match=r"pixels: .*must be uint8 \[8, 8, 1\]"):
            model.open_stream().step(bad)
        with pytest.raises(InputError, match=r"pixels: "):
            model.sequence(bad[None])
    with pytest.raises(InputError, match="image: float64"):
        model.open_stream().feed(Frame(np.zeros((8, 8)), 0, 0.0))


def test_frames_of_any_size_and_colour(tiny_clips):
    model, pixels = tiny_clips.model(), noise(6)
    large = [np.kron(image[..., 0], np.ones((10, 10), np.uint8)) for image in pixels]
    colour = [cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in large]
    expected = raws(alone(model, frames(pixels)))
    for images in (large, colour):
        stream = model.open_stream()
        given = [Frame(image, number, number * 100.0) for number, image in enumerate(images)]
        assert (raws(fed(stream, given)) == expected).all()


# --- other engines, bad bundles ------------------------------------------------------------------------


class Floats:
    """A float engine in NumPy with the light model's border: a leaky mean, and no TFLite at all."""

    def run(self, feeds):
        mean = feeds["x"].mean().reshape(1, 1)
        change = 400 * (mean - feeds["m0"])
        y = np.concatenate([np.zeros_like(change), change - 6, -change - 6], axis=1)
        return {"y": y.astype(np.float32), "m0_next": mean, "h0_next": feeds["h0"]}


def test_any_engine_streams_through_the_same_code(tiny_clips):
    """Without the recurrent layer's small part the labels and events are the real model's."""
    made = ClipModel.of(Floats(), tiny_clips.form("step"), tiny_clips.manifest("int8"))
    given = [light(ts_ms) for ts_ms in range(0, 5000, 33)]
    mine, real = alone(made, given), alone(tiny_clips.model(), given)

    def told(predictions):
        return [(p.label, [(e["event"], e["label"], e["ts_ms"]) for e in p.events]) for p in predictions]

    assert told(mine) == told(real)
    assert len({p.label for p in mine}) == 3
    with pytest.raises(BundleError, match="made around a step"):
        made.sequence(noise(4))


def test_the_loaded_model_is_an_engine_like_any_other(tiny_clips):
    form = tiny_clips.form("step", "int8")
    engine = load_model(tiny_clips.models["int8"], signature="step")
    made = ClipModel.of(engine, form, tiny_clips.manifest("int8"))
    given = frames(noise(20))
    assert answers(alone(made, given)) == answers(alone(tiny_clips.model("int8"), given))


def test_an_engine_must_fit_the_manifest(tiny_clips, tiny):
    manifest, engine = tiny_clips.manifest(), Floats()
    with pytest.raises(BundleError, match="form = 'sequence'"):
        ClipModel.of(engine, tiny_clips.form("sequence"), manifest)
    with pytest.raises(BundleError, match="task = 'classify'"):
        ClipModel.of(engine, tiny.form("step"), tiny.manifest())
    form = tiny_clips.form("step")
    wide = tuple(replace(t, shape=(1, 8, 9, 1)) if t.name == "x" else t for t in form.inputs)
    with pytest.raises(BundleError, match=r"must be \(1, 8, 8, 1\) and \(1, 3\)"):
        ClipModel.of(engine, replace(form, inputs=wide), manifest)


def test_a_bundle_of_another_task_or_form_is_refused(tiny_clips, tiny):
    with pytest.raises(BundleError, match="takes a bundle of task clips"):
        ClipModel(Bundle(tiny.manifest(), tiny.members()))
    with pytest.raises(BundleError, match="streamed by the form step"):
        ClipModel(tiny_clips.bundle(), "sequence")
    with pytest.raises(BundleError, match="'loop': this bundle has step, sequence"):
        ClipModel(tiny_clips.bundle(), "loop")
    with pytest.raises(InputError, match="threads = 0"):
        ClipModel(tiny_clips.bundle(), threads=0)


def test_a_manifest_that_differs_from_the_model_is_refused(tiny_clips):
    step = tiny_clips.form("step", "int8")
    x = tuple(replace(t, scale=0.5) if t.name == "x" else t for t in step.inputs)
    manifest = tiny_clips.manifest("int8", forms=(replace(step, inputs=x),))
    with pytest.raises(BundleError, match=r"in the manifest, .* in the model"):
        ClipModel(Bundle(manifest, {"model.tflite": tiny_clips.models["int8"]}))


def test_a_bundle_without_the_sequence_form_says_so(tiny_clips):
    manifest = tiny_clips.manifest(forms=(tiny_clips.form("step"),))
    model = ClipModel(Bundle(manifest, {"model.tflite": tiny_clips.models["light"]}))
    with pytest.raises(BundleError, match="'sequence': this bundle has step"):
        model.sequence(noise(4))
