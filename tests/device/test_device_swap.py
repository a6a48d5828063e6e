"""Another bundle while a stream runs: nobody misses a step, and what is worse than the old one does not stay."""

import os
import shutil
import threading
import time
from dataclasses import replace

import hostile_models
import numpy as np
import pytest
from tiny_clips import frames, noise

from rnnedge_device.bundle import read_bundle, write_bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.events import EventRules
from rnnedge_device.golden import Golden
from rnnedge_device.swap import (
    Checker,
    Deployment,
    FileWatch,
    LastGood,
    LoadedBundle,
    SwapRules,
    carry,
    prepare,
)

RULES = SwapRules(max_slowdown=5, slack_us=600, probation=20)


@pytest.fixture(scope="module")
def checker():
    with Checker(limit_s=30) as running:
        yield running


@pytest.fixture
def bundles(tiny_clips, clip_bundle_path, tmp_path):
    """Writes a clip bundle with golden frames: `bundles(name, model, **changes of the manifest)`."""

    def write(name, model="light", data=None, **changes):
        path = tmp_path / f"{name}.rnnedge"
        manifest = tiny_clips.manifest(model, name=name, **changes)
        if data is not None:
            manifest = replace(manifest, forms=tuple(replace(form, size_bytes=0) for form in manifest.forms))
        images = noise(10)[..., 0]
        stream = tiny_clips.model(model).open_stream()
        outputs = np.stack([stream.step(image[..., None]).raw for image in images])
        golden = Golden(images, {"step": outputs, "sequence": outputs}).to_bytes()
        write_bundle(path, manifest, {"model.tflite": data or tiny_clips.models[model], "golden.npz": golden})
        return path

    return write


class Camera:
    """A pipeline in small: one stream, fed frame by frame, that asks its deployment between two frames."""

    def __init__(self, path, checker, **options):
        self.said = []
        self.deployment = Deployment(
            LoadedBundle(read_bundle(path), ClipModel(read_bundle(path))),
            lambda other: prepare(other, ClipModel, task="clips", checker=checker),
            lambda *told: self.said.append(told),
            RULES,
            **options,
        )
        self.stream = self.deployment.active.model.open_stream("door")
        self.given = iter(frames(noise(20_000, seed=5)))
        self.found = []

    def feed(self, count=1):
        for _ in range(count):
            if change := self.deployment.due():
                stream = change.loaded.model.open_stream("door")
                self.deployment.done(change, carry(self.stream, stream))
                self.stream = stream
            for prediction in self.stream.feed(next(self.given)):
                self.deployment.took(prediction.latency_us)
                self.found.append(prediction)

    def until(self, state, deadline_s=60):
        """Feed until the deployment is in that state."""
        end = time.monotonic() + deadline_s
        while self.deployment.state != state:
            assert time.monotonic() < end, (self.deployment.state, self.said)
            self.feed()
            time.sleep(0.001)

    @property
    def name(self):
        return self.deployment.active.bundle.manifest.name


def uninterrupted(tiny_clips, count, model="light"):
    """What one model's stream gives for the same frames."""
    stream = tiny_clips.model(model).open_stream("door")
    return [found for frame in frames(noise(20_000, seed=5))[:count] for found in stream.feed(frame)]


def test_a_bundle_like_the_old_one_goes_on_bit_for_bit(bundles, checker, tiny_clips):
    camera = Camera(bundles("first"), checker)
    camera.feed(7)
    camera.deployment.request(bundles("second"))
    camera.until("ready")
    camera.feed(RULES.probation + 10)
    assert (camera.name, camera.deployment.state) == ("second", "steady")
    assert [kind for kind, _ in camera.said] == ["swapped"]
    assert "the state was handed over" in camera.said[0][1]
    expected = uninterrupted(tiny_clips, len(camera.found))
    assert [p.raw.tolist() for p in camera.found] == [p.raw.tolist() for p in expected]
    assert [p.ts_ms for p in camera.found] == [p.ts_ms for p in expected]
    assert [p.reset for p in camera.found] == ["start"] + [""] * (len(camera.found) - 1)


@pytest.mark.parametrize("model", ["light", "int8"])
def test_states_go_over_bit_for_bit(tiny_clips, model):
    old, new = tiny_clips.model(model).open_stream("a"), tiny_clips.model(model).open_stream("a")
    for frame in frames(noise(9)):
        old.feed(frame)
    before = {name: state.tobytes() for name, state in old._stepper.states.items()}
    assert carry(old, new)
    assert {name: state.tobytes() for name, state in new._stepper.states.items()} == before


def test_another_border_begins_anew_and_says_so(bundles, checker):
    """The int8 model has one state where the light one has two, and scales."""
    camera = Camera(bundles("first"), checker)
    camera.feed(7)
    camera.deployment.request(bundles("second", "int8"))
    camera.until("ready")
    camera.feed(3)
    assert "the state begins anew" in camera.said[0][1]
    assert [p.reset for p in camera.found[-3:]] == ["swap", "", ""]
    assert camera.stream.resets == {"start": 1, "swap": 1}


def test_another_start_value_or_scale_is_another_state(tiny_clips):
    old = tiny_clips.model("int8").open_stream()
    step, _ = tiny_clips.manifest("int8").forms

    def other(change):
        stream = tiny_clips.model("int8").open_stream()
        stream._model.form = change(step)
        return stream

    def scaled(form):
        tensors = [
            tuple(replace(t, scale=t.scale * 2) if t.name.startswith("h0") else t for t in side)
            for side in (form.inputs, form.outputs)
        ]
        return replace(form, inputs=tensors[0], outputs=tensors[1])

    assert carry(old, other(lambda form: form))
    assert not carry(old, other(scaled))
    assert not carry(old, other(lambda form: replace(form, states=(replace(form.states[0], reset=0.5),))))


def test_a_state_that_is_no_number_any_more_is_left_behind(tiny_clips):
    old, new = tiny_clips.model().open_stream(), tiny_clips.model().open_stream()
    old.feed(frames(noise(1))[0])
    old._stepper.states = {name: state * np.nan for name, state in old._stepper.states.items()}
    assert not carry(old, new)
    assert np.isfinite(new.feed(frames(noise(1))[0])[0].raw).all()


def brighter(stream, begin, count):
    """A film that becomes brighter: the event of that name begins. Events told, and the next time."""
    told = []
    for number in range(begin, begin + count):
        for found in stream.feed(
            frames(np.full((1, 8, 8, 1), 20 + 8 * number, np.uint8), start_ms=100.0 * number)[0]
        ):
            told += found.events
    return told


def test_a_running_event_goes_on_or_is_ended_but_never_lost(tiny_clips):
    old, alike = tiny_clips.model().open_stream(), tiny_clips.model().open_stream()
    assert [(e["event"], e["label"]) for e in brighter(old, 0, 6)] == [("start", "brighter")]
    assert carry(old, alike)
    assert (brighter(alike, 6, 3), alike.running) == ([], ("brighter",))

    manifest = tiny_clips.manifest(labels=("still", "lighter", "darker"))
    relabelled = ClipModel(replace(tiny_clips.bundle(), manifest=manifest)).open_stream()
    assert carry(alike, relabelled)
    first = brighter(relabelled, 9, 1)
    assert [(e["event"], e["label"], e["end_ms"]) for e in first] == [("end", "brighter", 800.0)]
    assert [(e["event"], e["label"]) for e in brighter(relabelled, 10, 6)] == [("start", "lighter")]

    other = tiny_clips.model("int8").open_stream()
    assert not carry(relabelled, other)
    assert [e["label"] for e in other.finish()] == ["lighter"]


def test_an_end_is_told_though_the_next_frames_are_passed_over(tiny_clips):
    """At 30 frames a second the model of 10 passes two of three over; the end waits for the third."""
    old = tiny_clips.model().open_stream()
    brighter(old, 0, 6)
    rules = EventRules(smooth_ms=0.0, on=0.99, off=0.98, min_ms=5000.0, refractory_ms=0.0)
    new = tiny_clips.model(events=rules).open_stream()
    assert carry(old, new)
    told = [
        event
        for frame in frames(noise(6), 1000 / 30, start_ms=533.0)
        for found in new.feed(frame)
        for event in found.events
    ]
    assert [(event["event"], event["label"]) for event in told] == [("end", "brighter")]


def test_garbage_in_place_of_a_running_bundle_changes_nothing(bundles, checker, tiny_clips):
    path = bundles("first")
    camera = Camera(path, checker)
    whole, crashing = path.read_bytes(), hostile_models.crashing(tiny_clips.models["light"])
    for spoil in (
        lambda: path.write_bytes(os.urandom(3000)),
        lambda: path.write_bytes(whole[: len(whole) // 2]),
        lambda: path.write_bytes(b""),
        lambda: shutil.copy(bundles("bad", data=crashing), path),
    ):
        camera.feed(5)
        spoil()
        camera.deployment.request(path)
        camera.until("steady")
    camera.feed(5)
    assert camera.name == "first"
    assert [kind for kind, _ in camera.said] == ["refused"] * 4
    for _, detail in camera.said:
        assert detail.startswith(f"bundle {str(path)!r}: ")
        assert len(detail.splitlines()) == 1
    assert "crashes the runtime" in camera.said[3][1]
    expected = uninterrupted(tiny_clips, len(camera.found))
    assert [p.raw.tolist() for p in camera.found] == [p.raw.tolist() for p in expected]


def test_a_slow_bundle_is_refused_where_the_trial_shows_it(bundles, checker, tiny_clips):
    camera = Camera(bundles("first"), checker)
    camera.feed(30)
    camera.deployment.request(bundles("slow", data=hostile_models.slow(tiny_clips.models["light"], 4000)))
    camera.until("steady")
    assert [kind for kind, _ in camera.said] == ["refused"]
    assert "too slow" in camera.said[0][1]


def test_a_bundle_that_is_slow_at_work_is_rolled_back(bundles, checker, tiny_clips):
    """Quick in its trial, slow on the live frames, as where a board is hot: here by the figures it is given."""
    camera = Camera(bundles("first"), checker)
    camera.feed(30)
    camera.deployment.request(bundles("second"))
    camera.until("ready")
    camera.feed(5)
    assert (camera.name, camera.deployment.state) == ("second", "probation")
    for _ in range(RULES.probation - 5):
        camera.deployment.took(50_000.0)
    camera.feed(5)
    assert camera.name == "first"
    assert [kind for kind, _ in camera.said] == ["swapped", "rolled_back"]
    assert "too slow: 25." in camera.said[1][1]  # the median of five quick ones and five slow ones
    expected = uninterrupted(tiny_clips, len(camera.found))
    assert [p.raw.tolist() for p in camera.found] == [p.raw.tolist() for p in expected]


def test_slower_than_the_frames_come_is_too_slow_whatever_the_old_one_was(bundles, checker, tiny_clips):
    camera = Camera(bundles("first"), checker, period_ms=0.5)
    camera.deployment.request(bundles("slow", data=hostile_models.slow(tiny_clips.models["light"], 4000)))
    camera.until("steady")
    assert "at most 0.50" in camera.said[0][1]
    assert SwapRules().limit_us(None, None) == float("inf")
    assert SwapRules().limit_us(9000.0, 5000.0) == 9000.0


def test_a_bundle_that_fails_on_probation_is_rolled_back_and_later_is_not(bundles, checker):
    camera = Camera(bundles("first"), checker)
    assert not camera.deployment.failed(RuntimeError("x"))
    camera.deployment.request(bundles("second"))
    camera.until("ready")
    camera.feed(2)
    assert camera.deployment.failed(RuntimeError("no such\ntensor"))
    camera.feed(2)
    assert camera.name == "first"
    assert "it failed: no such tensor" in camera.said[-1][1]
    assert not camera.deployment.failed(RuntimeError("x"))
    with pytest.raises(InputError, match="there is no bundle before"):
        camera.deployment.roll_back()


def test_rolled_back_on_demand(bundles, checker):
    camera = Camera(bundles("first"), checker)
    with pytest.raises(InputError, match="there is no bundle before"):
        camera.deployment.roll_back()
    camera.deployment.request(bundles("second"))
    camera.until("ready")
    camera.feed(RULES.probation + 5)
    camera.deployment.roll_back()
    camera.feed(2)
    assert camera.name == "first"
    assert camera.said[-1][0] == "rolled_back"
    assert camera.found[-1].reset == ""


def test_one_at_a_time_and_not_the_same_twice(bundles, checker):
    path = bundles("first")
    camera = Camera(path, checker)
    with pytest.raises(InputError, match="no such file"):
        camera.deployment.request(path.with_name("none.rnnedge"))
    camera.deployment.request(path)
    with pytest.raises(InputError, match="another one is being tried"):
        camera.deployment.request(path)
    camera.until("steady")
    assert "is what runs already" in camera.said[0][1]


def test_many_swaps_leave_nothing_behind(bundles, checker):
    first, second = bundles("first"), bundles("second")
    camera = Camera(first, checker)
    before = None
    for number in range(8):
        camera.deployment.request((second, first)[number % 2])
        camera.until("ready")
        camera.feed(RULES.probation + 5)
        held = len(os.listdir("/proc/self/fd")), threading.active_count()
        before = before or held
        assert held == before
    assert len(camera.said) == 8
    assert camera.stream.resets == {"start": 1}


def test_a_file_is_told_of_when_it_rests(tmp_path):
    path = tmp_path / "watched"
    path.write_bytes(b"one")
    watch = FileWatch(path, rest_s=2.0)
    assert not watch.look(100.0)
    with path.open("ab") as stream:  # a slow copy
        for second in range(5):
            stream.write(b"more")
            stream.flush()
            assert not watch.look(101.0 + second)
    assert [watch.look(now) for now in (106.0, 107.5, 109.0)] == [False, True, False]
    path.unlink()
    assert not watch.look(110.0)
    (tmp_path / "new").write_bytes(b"two")
    os.replace(tmp_path / "new", path)
    assert [watch.look(now) for now in (111.0, 113.0, 115.0, 120.0)] == [False, True, False, False]
    watch.forget()
    assert watch.look(121.0)


def test_the_watch_asks_again_where_it_is_not_the_time(tmp_path):
    path, calls, done = tmp_path / "watched", [], threading.Event()
    path.write_bytes(b"one")

    def changed(given):
        calls.append(given)
        if len(calls) < 3:
            raise InputError("another one is being tried")
        done.set()

    stop = FileWatch(path, rest_s=0.05).start(changed, every_s=0.01)
    path.write_bytes(b"another")
    assert done.wait(30)
    stop()
    assert calls == [path] * 3


def test_a_replaced_file_becomes_the_running_bundle(bundles, checker):
    """From the file to the frames: what the watch tells, the deployment takes."""
    path = bundles("first")
    camera = Camera(path, checker)
    stop = FileWatch(path, rest_s=0.1).start(camera.deployment.request, every_s=0.02)
    os.replace(bundles("second"), path)
    camera.until("ready")
    camera.feed(2)
    stop()
    assert camera.name == "second"


def test_a_start_that_finds_garbage_takes_the_last_good_one(bundles, checker, tmp_path):
    said, folder = [], tmp_path / "state"
    folder.mkdir()
    last_good, path = LastGood(folder), bundles("first")

    def start():
        return last_good.start(
            path, lambda given: prepare(given, ClipModel, checker=checker), lambda *told: said.append(told)
        )

    assert start().bundle.manifest.name == "first"
    path.write_bytes(os.urandom(2000))
    assert start().bundle.manifest.name == "first"
    assert [kind for kind, _ in said] == ["refused"]
    assert "not a bundle" in said[0][1]
    assert "the last good one runs" in said[0][1]
    path.unlink()
    assert start().bundle.manifest.name == "first"
    last_good.copy_of(path).write_bytes(b"garbage too")
    with pytest.raises(BundleError, match="no such file"):
        start()
    last_good.copy_of(path).unlink()
    with pytest.raises(BundleError, match="no such file"):
        start()
    with pytest.raises(InputError, match="must be a folder"):
        LastGood(tmp_path / "nowhere")


def test_a_bundle_is_kept_when_it_has_proved_itself(bundles, checker, tmp_path):
    path, last_good, kept = bundles("first"), LastGood(tmp_path), threading.Event()

    def proved(loaded):
        assert last_good.keep(path, loaded.bundle)
        kept.set()

    camera = Camera(path, checker, proved=proved)
    os.replace(bundles("second"), path)
    camera.deployment.request(path)
    camera.until("ready")
    camera.feed(RULES.probation - 2)
    assert not last_good.copy_of(path).exists()
    camera.feed(5)
    assert kept.wait(30)
    assert read_bundle(last_good.copy_of(path)).manifest.name == "second"
    # What lies there by now is another file: no copy of what was not tried.
    path.write_bytes(b"garbage")
    last_good.copy_of(path).unlink()
    assert not last_good.keep(path, camera.deployment.active.bundle)
    assert not last_good.copy_of(path).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_slowdown": 0.5}, "max_slowdown = 0.5"),
        ({"slack_us": -1}, "slack_us = -1"),
        ({"probation": 3}, "probation = 3"),
    ],
)
def test_rules_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        SwapRules(**options)
