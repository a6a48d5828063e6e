"""A runner as a whole: several cameras, ids, replay, reload, swap, signals, load. Real bundles, real threads."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from running import Running, camera
from sink_parts import event, free_port, wait_until
from tiny_clips import write_film
from watching import watch

from rnnedge_device.bundle import read_bundle, write_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.runner import throttle
from rnnedge_device.runner.config import load_config
from rnnedge_device.runner.outlets import Outlets
from rnnedge_device.runner.sinks import ConfiguredSinks
from rnnedge_device.runner.throttle import Throttle
from rnnedge_device.sinks import CallSink
from rnnedge_device.sinks.beside import BesideSink
from rnnedge_device.sources import open_source
from rnnedge_device.stream import stream

ADDED = ("camera", "wall", "id", "latency_ms")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "film.avi", 30)


def untimed(lines):
    """The lines without what a runner adds and what no two runs share."""
    return [{key: value for key, value in line.items() if key not in ADDED} for line in lines]


def alone(model, spec):
    """What `rnnedge-run BUNDLE --source` says."""
    lines = []
    with open_source(str(spec)) as source:
        stream(source, model, [watch(lambda frame, found, line: line and lines.append(line))])
    return untimed(lines)


# --- several cameras -----------------------------------------------------------------------------------


def test_each_camera_says_what_it_says_alone(tmp_path, film, clip, clip_bundle_path, bundle_path, tiny_clips):
    """Two share an interpreter, one has another bundle; files are not hurried and not thinned."""
    text = (
        camera("door", film, clip_bundle_path)
        + camera("hall", "synthetic:33x17@30x90", clip_bundle_path)
        + camera("desk", clip, bundle_path)
    )
    with Running(tmp_path / "a.toml", text) as running:
        assert running.join() == 0
    model = tiny_clips.model()
    assert untimed(running.lines("door")) == alone(model, film)
    assert untimed(running.lines("hall")) == alone(model, "synthetic:33x17@30x90")
    assert untimed(running.lines("desk")) == alone(Classifier(read_bundle(bundle_path)), clip)
    status = running.runner.status.snapshot()
    assert {name: (one["frames"], one["state"]) for name, one in status["cameras"].items()} == {
        "door": (150, "stopped"),
        "hall": (90, "stopped"),
        "desk": (24, "stopped"),
    }
    assert running.runner.status.progress == 150 + 90 + 24
    assert status["healthy"] is True
    desk = status["cameras"]["desk"]
    assert desk["bundle_sha256"] == read_bundle(bundle_path).sha256
    assert (desk["task"], desk["form"], desk["dropped"]) == ("classify", "loop", 0)
    json.dumps(status)


def test_lines_are_named_dated_and_numbered(tmp_path, film, clip_bundle_path):
    text = camera("door", film, clip_bundle_path) + camera("hall", film, clip_bundle_path)
    with Running(tmp_path / "a.toml", text) as running:
        running.join()
    run = running.runner.status.run
    for name in ("door", "hall"):
        events = running.lines(name, "event")
        assert [line["event"] for line in events] == ["start", "end"] * 2
        assert [line["id"] for line in events] == [f"{run}-{name}-{number}" for number in range(1, 5)]
    for line in running.lines():
        assert line["camera"] in ("door", "hall")
        assert line["wall"].endswith("+00:00")
        assert ("id" in line) == ("event" in line)


def test_a_part_of_the_picture(tmp_path, bundle_path, tiny, pictures):
    """The model is shown the right half of pictures that are a digit beside noise."""
    folder = tmp_path / "wide"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    for number, image in enumerate(tiny.images[:10]):
        cv2.imwrite(str(folder / f"{number:02d}.png"), np.hstack([noise, image]))
    with Running(tmp_path / "a.toml", camera("desk", folder, bundle_path, roi=[0.5, 0, 1, 1])) as running:
        running.join()
    expected = alone(Classifier(read_bundle(bundle_path)), pictures)
    assert [line["label"] for line in running.lines()] == [line["label"] for line in expected]
    assert all(message.frame.image.shape == (8, 8, 3) for message in running.messages)


def test_a_rate_thins_what_the_model_sees(tmp_path, bundle_path, clip_bundle_path):
    text = camera("desk", "synthetic:8x8@30x90", bundle_path, rate=10) + camera(
        "door", "synthetic:16x16@30x90", clip_bundle_path, rate=5
    )
    with Running(tmp_path / "a.toml", text) as running:
        running.join()
    assert [line["frame"] for line in running.lines("desk")] == list(range(0, 90, 3))
    assert [line["frame"] for line in running.lines("door", "step")] == list(range(0, 90, 6))
    # Every picture goes to the sinks all the same.
    frames = {message.frame.index for message in running.messages if message.camera == "desk"}
    assert frames == set(range(90))


# --- what runs can be repeated -------------------------------------------------------------------------


def test_a_recording_of_a_live_camera_gives_the_same_events(tmp_path, film, clip_bundle_path, run_cli):
    """With frames dropped as they come, a reset on demand, and another rate: all of it is in the recording."""
    record = tmp_path / "door.rec"
    text = camera("door", f"live:{film}", clip_bundle_path, record=f"'{record}'", rate=7.5)
    with Running(tmp_path / "a.toml", text) as running:
        running.wait_for(lambda: running.frames("door") > 40)
        running.runner.reset("door")
        assert running.join() == 0
    said = untimed(running.lines("door"))
    assert [line["reset"] for line in said if "reset" in line] == ["start", "demand"]
    assert any("event" in line for line in said)
    code, out, _ = run_cli(clip_bundle_path, "--source", f"replay:{record}", "--jsonl", "-")
    assert code == 0
    assert untimed(map(json.loads, out.splitlines())) == said
    # And once more in a runner.
    with Running(tmp_path / "b.toml", camera("door", f"replay:{record}", clip_bundle_path)) as again:
        again.join()
    assert untimed(again.lines("door")) == said


def test_the_annotated_frames_as_a_film(tmp_path, clip, bundle_path):
    seen = tmp_path / "seen.mp4"
    with Running(tmp_path / "a.toml", camera("desk", clip, bundle_path, save=f"'{seen}'")) as running:
        assert running.join() == 0
    film = cv2.VideoCapture(str(tmp_path / "seen-000001.mp4"))
    status = running.runner.status.snapshot()["sinks"]["save-desk"]
    assert (
        status["sent"] + status["lost"] == 24
    )  # lost: the encoder did not keep up with a file that is not hurried
    assert (film.get(cv2.CAP_PROP_FPS), film.get(cv2.CAP_PROP_FRAME_COUNT)) == (12, status["sent"])


def test_a_film_has_its_parts_even_after_a_crash(tmp_path, bundle_path):
    """A part each second of the source's time. The runner is killed; the next one goes on behind what is there."""
    path, seen = tmp_path / "a.toml", tmp_path / "seen.avi"
    path.write_text(
        camera("desk", "live:synthetic:64x48@30", bundle_path, save=f"'{seen}'", save_minutes=1 / 60)
    )

    def parts():
        return sorted(tmp_path.glob("seen-*.avi"))

    for count in (1, 2):
        process = subprocess.Popen([sys.executable, "-m", "rnnedge_device", "--config", path])
        try:
            wait_until(lambda count=count: len(parts()) >= count, "parts are there")
        finally:
            process.kill()
            process.wait()
    names = [f"seen-{number:06d}.avi" for number in range(1, len(parts()) + 1)]
    assert [part.name for part in parts()] == names
    for part in parts():
        film = cv2.VideoCapture(str(part))
        assert film.get(cv2.CAP_PROP_FRAME_COUNT) >= 1
        assert film.read()[0]
    # What a killed one left is gone with the next start.
    assert len(list(tmp_path.glob(".seen-*"))) <= 1


def test_a_window_that_cannot_be_is_one_message(tmp_path, bundle_path, run_cli, monkeypatch):
    (tmp_path / "a.toml").write_text(camera("desk", "synthetic:16x16x5", bundle_path, show="true"))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    code, out, err = run_cli("--config", tmp_path / "a.toml")
    assert (code, out) == (2, "")
    assert "camera desk: show: there is no display" in err
    if not cv2.currentUIFramework():
        monkeypatch.setenv("DISPLAY", ":1")
        code, out, err = run_cli("--config", tmp_path / "a.toml")
        assert (code, out) == (2, "")
        assert "pip install opencv-python in place of opencv-python-headless" in err


@pytest.mark.skipif(
    not cv2.currentUIFramework() or not os.environ.get("DISPLAY"),
    reason="no display, or an OpenCV without windows (opencv-python has them, opencv-python-headless has not)",
)
def test_a_window_for_each_camera(tmp_path, bundle_path):
    text = "".join(
        camera(name, "live:synthetic:64x48@30", bundle_path, show="true") for name in ("door", "hall")
    )
    with Running(tmp_path / "a.toml", text) as running:
        windows = running.runner._sinks.opened["window"]._inner
        running.wait_for(lambda: windows.status()["sent"] > 20 and len(windows._open) == 2)
        running.wait_for(lambda: {"door", "hall"} <= {message.camera for message in running.messages})
    assert running.runner.status.sinks["window"].status()["failing"] is None
    assert windows._open == {}


# --- threads -------------------------------------------------------------------------------------------


def test_a_slow_sink_costs_the_others_nothing(tmp_path, bundle_path):
    """One takes its first message and no further until all is over."""
    go, slow, quick = threading.Event(), [], []

    def hang(message):
        slow.append(message)
        go.wait(60)

    with BesideSink(CallSink(hang), "slow", queued=4) as beside:
        path = tmp_path / "a.toml"
        with Running(path, camera("desk", "synthetic:8x8x300", bundle_path), quick.append) as running:
            running.runner._extra["slow"] = beside
            running.runner._publish()
            running.join()
        status = beside.status()
        go.set()
    assert len(quick) == 300
    assert 0 < status["queued"] + status["lost"] <= 300
    after = beside.status()
    assert after["sent"] + after["lost"] == status["queued"] + status["lost"] + status["sent"] + len(slow[:1])


def test_a_sink_that_fails_beside_is_told_and_counted(tmp_path):
    def fail(message):
        raise OSError("disk full")

    beside = BesideSink(CallSink(fail), "broken")
    for _ in range(3):
        beside.put(
            None if False else pytest.importorskip("rnnedge_device.sinks").Message("door", {"ts_ms": 0.0})
        )
    beside.close()
    status = beside.status()
    assert (status["failing"], status["sent"], status["queued"]) == ("disk full", 0, 0)


def test_a_live_camera_shows_the_model_the_newest_frame(tmp_path, bundle_path):
    """A sink that holds the pipeline up: what came meanwhile is dropped, counted, and never shown."""
    held = []

    def hold(message):
        if message.frame is not None and message.frame.index == 5:
            held.append(message)
            running.wait_for(lambda: running.runner.status.cameras["desk"].dropped >= 10)

    with Running(
        tmp_path / "a.toml", camera("desk", "live:synthetic:8x8@60x90", bundle_path), hold
    ) as running:
        running.join()
    indices = [message.frame.index for message in running.messages]
    assert indices == sorted(set(indices))
    if held:
        after = indices[indices.index(5) + 1]
        assert after > 10
    one = running.runner.status.snapshot()["cameras"]["desk"]
    assert one["frames"] + one["dropped"] == 90


def test_load_steps_the_rate_down_and_back():
    """A clock of the test's own: three windows of too much, then ten calm ones."""
    now = [0.0]
    load = Throttle(lambda: now[0])
    said = []

    def seconds(count, **busy):
        for _ in range(count):
            for name, share in busy.items():
                load.add(name, share)
            now[0] += 1.0
            said.extend(load.changes().items())

    seconds(2, door=0.8, hall=0.3)
    assert said == []
    seconds(1, door=0.8, hall=0.3)
    assert said == [("door", 1)]
    seconds(3, door=0.7, hall=0.3)
    assert said == [("door", 1), ("door", 2)]
    seconds(20, door=0.4, hall=0.3)  # twice the door's work would be too much
    assert len(said) == 2
    seconds(9, door=0.1, hall=0.3)
    assert len(said) == 2
    seconds(11, door=0.1, hall=0.3)
    assert said[2:] == [("door", 1), ("door", 0)]
    seconds(60, door=0.01)
    assert len(said) == 4


def test_a_model_that_is_too_slow_gets_a_lower_rate_and_says_so(tmp_path, clip_bundle_path, monkeypatch):
    """The real model, with a wait before each step: ten steps a second do not fit. Windows are shortened, to about a
    step, so that the thread always computes as long as three frames a second come."""
    monkeypatch.setattr(throttle, "_WINDOW_S", 0.3)
    with Running(
        tmp_path / "a.toml", camera("door", "live:synthetic:16x16@30", clip_bundle_path, rate=10)
    ) as running:
        seat = running.runner._seats["door"]
        model = seat.deployment.active.model
        run, slow = model.engine.run, [0.3]
        model.engine.run = lambda feeds: (time.sleep(slow[0]), run(feeds))[1]
        # The stepper holds the method it was made with.
        seat._answers.fed._stepper._run = model.engine.run
        line = running.wait_for(lambda: running.lines("door", "health"))[0]
        assert (line["health"], line["detail"].split(" model")[0]) == ("degraded", "5 of 10")
        slow[0] = 0.0
        running.wait_for(lambda: "restored" in running.health("door"))
        running.wait_for(lambda: running.runner.status.snapshot()["cameras"]["door"]["health"] is None)


# --- while it runs -------------------------------------------------------------------------------------


def test_cameras_of_one_bundle_share_what_takes_its_place(tmp_path, clip_bundle_path):
    mine, other = tmp_path / "mine.rnnedge", tmp_path / "other.rnnedge"
    shutil.copy(clip_bundle_path, mine)
    bundle = read_bundle(clip_bundle_path)
    write_bundle(other, replace(bundle.manifest, created="2025-01-01T00:00:00Z"), bundle.members)
    text = "".join(camera(name, "live:synthetic:16x16@30", mine) for name in ("door", "hall"))
    with Running(tmp_path / "a.toml", text) as running:
        os.replace(other, mine)
        for name in ("door", "hall"):
            running.wait_for(lambda name=name: "swapped" in running.health(name))
        door, hall = (running.runner._seats[name].deployment.active for name in ("door", "hall"))
    assert door.bundle.sha256 == read_bundle(mine).sha256
    assert door.model is hall.model


def test_the_web_view_changes_with_the_config(tmp_path, bundle_path):
    httpx = pytest.importorskip("httpx")
    first, second = free_port(), free_port()
    desk = camera("desk", "live:synthetic:16x16@30", bundle_path)

    def answers(port):
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=20).status_code == 200
        except httpx.TransportError:
            return False

    def change(running, web):
        (tmp_path / "a.toml").write_text(desk + web)
        running.runner.reload()

    with Running(tmp_path / "a.toml", f"{desk}[web]\nport = {first}\n") as running:
        running.wait_for(lambda: answers(first))
        change(running, f"[web]\nport = {second}\n")
        running.wait_for(lambda: answers(second))
        assert not answers(first)
        with socket.create_server(("127.0.0.1", first)):
            # Somebody else has that port: the view stays where it was.
            change(running, f"[web]\nport = {first}\nmax_fps = 2.0\n")
            running.wait_for(lambda: running.runner.config.sections["web"].port == first)
            running.wait_for(lambda: answers(second))
        change(running, "")
        running.wait_for(lambda: not answers(second))
        assert "web" not in running.runner.status.sinks
        change(running, f"[web]\nport = {second}\n")
        running.wait_for(lambda: answers(second))
        frames = running.frames("desk")
        running.wait_for(lambda: running.frames("desk") > frames)
    assert running.health() == []


def test_another_bundle_takes_over_between_two_frames(tmp_path, clip_bundle_path):
    """Replaced by a good one, by garbage, and asked back: the camera never stops, and no frame is answered twice."""
    mine = tmp_path / "mine.rnnedge"
    shutil.copy(clip_bundle_path, mine)
    bundle = read_bundle(clip_bundle_path)
    other = tmp_path / "other.rnnedge"
    write_bundle(other, replace(bundle.manifest, created="2025-01-01T00:00:00Z"), bundle.members)
    with Running(tmp_path / "a.toml", camera("door", "live:synthetic:16x16@30", mine)) as running:
        running.wait_for(lambda: running.frames("door") > 5)
        os.replace(other, mine)
        running.wait_for(lambda: "swapped" in running.health("door"))
        assert (
            running.runner.status.snapshot()["cameras"]["door"]["bundle_sha256"] == read_bundle(mine).sha256
        )
        (tmp_path / "bad.rnnedge").write_bytes(b"garbage" * 1000)
        os.replace(tmp_path / "bad.rnnedge", mine)
        running.wait_for(lambda: "refused" in running.health("door"))
        running.runner.rollback("door")
        running.wait_for(lambda: "rolled_back" in running.health("door"))
        assert running.runner.status.snapshot()["cameras"]["door"]["bundle_sha256"] == bundle.sha256
        count = running.frames("door")
        running.wait_for(lambda: running.frames("door") > count + 5)
    steps = running.lines("door", "step")
    # The same states: nothing began anew but the start.
    assert [line["reset"] for line in steps if "reset" in line] == ["start"]
    # A frame may be held for two steps where the machine was busy; no step is made twice.
    times = [line["ts_ms"] for line in steps]
    assert times == sorted(set(times))


def test_a_start_that_finds_something_worse_takes_the_last_good_bundle(tmp_path, bundle_path):
    """As a service has it: a folder of its own."""
    mine, state = tmp_path / "mine.rnnedge", tmp_path / "state"
    state.mkdir()
    text = f"[runner]\nstate = '{state}'\n\n" + camera("desk", "synthetic:8x8x20", mine)
    shutil.copy(bundle_path, mine)
    with Running(tmp_path / "a.toml", text) as running:
        assert running.join() == 0
    mine.write_bytes(b"garbage" * 1000)
    with Running(tmp_path / "a.toml", text) as again:
        assert again.join() == 0
    assert untimed(again.lines()) == untimed(running.lines())


def test_a_config_read_again_changes_what_is_different(tmp_path, clip_bundle_path, bundle_path):
    path = tmp_path / "a.toml"
    door = camera("door", "live:synthetic:16x16@30", clip_bundle_path)
    with Running(path, door + camera("hall", "live:synthetic:8x8@30", bundle_path)) as running:
        running.wait_for(lambda: running.frames("door") > 5 and running.frames("hall") > 5)
        path.write_text(door + "[[camera]]\nnane = 'x'\n")
        running.runner.reload()
        time.sleep(1.0)
        assert set(running.runner.status.snapshot()["cameras"]) == {"door", "hall"}
        path.write_text(door + camera("desk", "live:synthetic:8x8@30", bundle_path))
        running.runner.reload()
        running.wait_for(lambda: "desk" in running.runner.status.snapshot()["cameras"])
        running.wait_for(lambda: running.frames("desk") > 5)
        assert set(running.runner.status.snapshot()["cameras"]) == {"door", "desk"}
    # The door's state was carried through all of it.
    assert [line["reset"] for line in running.lines("door", "step") if "reset" in line] == ["start"]


def test_a_config_read_again_leaves_no_thread_behind(tmp_path, clip_bundle_path, bundle_path):
    path = tmp_path / "a.toml"
    desk, door = (
        camera("desk", "live:synthetic:8x8@30", bundle_path),
        camera("door", "live:synthetic:16x16@30", clip_bundle_path),
    )

    def threads():
        return sorted(one.name for one in threading.enumerate() if one.name.startswith("inference"))

    with Running(path, desk) as running:
        running.wait_for(lambda: running.frames("desk") > 3)
        before = threads()
        for text, name in ((door, "door"), (desk, "desk")):
            path.write_text(text)
            running.runner.reload()
            running.wait_for(lambda name=name: name in running.runner.status.snapshot()["cameras"])
            running.wait_for(lambda name=name: running.frames(name) > 3)
            running.wait_for(lambda: len(threads()) == 1)
        assert threads() == before


def test_nothing_promised_falls_between_a_sink_and_the_one_in_its_place(tmp_path):
    """Lines come all the time while the config is read again and again; one that is wrong leaves the sink as it was."""

    def config(log, keep):
        path = tmp_path / "a.toml"
        path.write_text(
            camera("door", "0", "any.rnnedge") + f'[jsonl]\npath = "{tmp_path}/{log}"\nkeep = {keep}\n'
        )
        return load_config(path)

    def publish(found):
        outlets.sinks = dict(found)

    def say():
        for number in range(100_000):
            outlets.say(event(number))
            if done.wait(0.0005):
                return

    sinks = ConfiguredSinks(lambda name: 30.0)
    sinks.open(config("a.jsonl", 1))
    outlets, done = Outlets("run", sinks.opened), threading.Event()
    saying = threading.Thread(target=say)
    saying.start()
    try:
        for log, keep in (("a.jsonl", 2), ("nowhere/a.jsonl", 2), ("a.jsonl", 3)):
            sinks.change(config(log, keep), publish)
            publish(sinks.opened)
    finally:
        done.set()
        saying.join()
    assert list(sinks.opened) == ["jsonl"]
    sinks.close(60.0)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"run-door-{number + 1}" for number in range(len(lines))]
    outlets.say(event(0))
    assert outlets.numbers == {"door": len(lines) + 1}


def test_an_unknown_camera_is_named(tmp_path, bundle_path):
    with Running(tmp_path / "a.toml", camera("desk", "live:synthetic:8x8@30x9", bundle_path)) as running:
        with pytest.raises(ValueError, match="camera = 'dask': must be one of desk"):
            running.runner.reset("dask")
        with pytest.raises(ValueError, match="no such file"):
            running.runner.swap("desk", Path("gone.rnnedge"))
        with pytest.raises(ValueError, match="no bundle before"):
            running.runner.rollback("desk")


def start(*arguments, stderr=subprocess.PIPE):
    command = [sys.executable, "-m", "rnnedge_device", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_drains(tmp_path, film, clip_bundle_path, number, code):
    """What runs ends in the recording's replay as it ended live; a reload and a reset on the way."""
    record = tmp_path / "door.rec"
    path = tmp_path / "a.toml"
    path.write_text(camera("door", "live:synthetic:16x16@30", clip_bundle_path, record=f"'{record}'"))
    log = tmp_path / "log"

    def recorded():
        """Bytes so far; it has its name at the end."""
        return sum(part.stat().st_size for part in tmp_path.glob(".door-*"))

    with log.open("w") as err:
        process = start("--config", path, stderr=err)
    try:
        wait_until(recorded, "the first frames in the recording")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "read again" in log.read_text(), "the config is read again")
        size = recorded()
        wait_until(lambda: recorded() > size + 20_000, "some more frames")
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in log.read_text()
    with open_source(f"replay:{record}") as source:
        frames = list(source)
        assert source.skipped == 0
    assert len(frames) > 10
    assert "demand" in [frame.reset for frame in frames]
