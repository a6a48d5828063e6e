"""What goes wrong with cameras and clocks: nothing crashes, it is said once, and it comes back. Real parts."""

import ctypes.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from itertools import islice, pairwise, repeat
from pathlib import Path

import cv2
import numpy as np
import pytest
from http_camera import HttpCamera, jpeg, moving
from running import Running, assert_events_are_whole, camera
from tiny_clips import write_film

QUICK = "[runner]\nbackoff_s = 0.1\nbackoff_most_s = 0.5\n"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_camera_process_that_dies_and_returns(tmp_path, clip_bundle_path):
    """ffmpeg streams a film over HTTP, is killed, is away for a second, and streams again."""
    film = write_film(tmp_path / "film.avi", 30)
    port = free_port()
    url = f"http://127.0.0.1:{port}/door"

    def serve():
        command = ["ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(film), "-q:v", "2"]
        return subprocess.Popen([*command, "-f", "mpjpeg", "-listen", "1", url], stdin=subprocess.DEVNULL)

    server = serve()
    # Patient: ffmpeg serves one client and ends with it, so that one that only was slow would not get back in.
    text = (
        QUICK
        + "restart_budget = 1000\nhang_s = 100\nopen_s = 100\n\n"
        + camera("door", url, clip_bundle_path)
    )
    try:
        with Running(tmp_path / "a.toml", text) as running:
            running.wait_for(lambda: running.lines("door", "event"))
            before = len(running.health())
            server.kill()
            server.wait()
            running.wait_for(lambda: "lost" in running.health()[before:])
            time.sleep(1.0)
            assert running.runner.status.snapshot()["cameras"]["door"]["state"] == "recovering"
            assert not running.runner.status.snapshot()["healthy"]
            server = serve()
            running.wait_for(lambda: "recovered" in running.health()[before:])
            count = len(running.lines("door", "event"))
            running.wait_for(lambda: len(running.lines("door", "event")) >= count + 2)
            status = running.runner.status.snapshot()["cameras"]["door"]
    finally:
        server.kill()
        server.wait()
    assert status["restarts"] >= 1
    # Said once each, however many attempts it took; a camera that was not there yet at first is the same.
    assert running.health()[before : before + 2] == ["lost", "recovered"]
    assert all(a != b for a, b in pairwise(running.health()))
    resets = [line["reset"] for line in running.lines("door", "step") if "reset" in line]
    assert (resets[0], "lost" in resets[1:]) == ("start", True)
    assert_events_are_whole(running.lines("door"))
    times = [line["ts_ms"] for line in running.lines("door", "step")]
    assert times == sorted(times)
    frames = [line["frame"] for line in running.lines("door", "step")]
    assert frames == sorted(frames)


def test_a_read_that_hangs_is_killed_and_opened_again(tmp_path, bundle_path):
    """The first connection sends ten pictures and then nothing for ever."""
    connections = []

    def pictures():
        connections.append(1)
        if len(connections) > 1:
            yield from moving()
        yield from islice(moving(), 10)
        yield from repeat(None)

    with HttpCamera(pictures) as network:
        text = QUICK + "hang_s = 0.7\n\n" + camera("desk", network.url, bundle_path)
        with Running(tmp_path / "a.toml", text) as running:
            running.wait_for(lambda: "recovered" in running.health())
            before = running.frames("desk")
            running.wait_for(lambda: running.frames("desk") > before + 5)
    assert running.health() == ["hung", "recovered"]
    # How long it took is part of the line.
    assert running.lines("desk", "health")[1]["detail"].startswith("frames come again after ")


def test_a_camera_that_stays_away_gives_up_with_an_exit_code(tmp_path, bundle_path, run_cli):
    """The other camera goes on to its end."""
    log = tmp_path / "lines.jsonl"
    path = tmp_path / "a.toml"
    path.write_text(
        QUICK
        + "restart_budget = 3\n\n"
        + camera("gone", f"http://127.0.0.1:{free_port()}/x", bundle_path)
        + camera("desk", "live:synthetic:8x8@30x30", bundle_path)
        + f"[jsonl]\npath = '{log}'\n"
    )
    code, out, err = run_cli("--config", path)
    assert (code, out) == (3, "")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    health = [line for line in lines if "health" in line]
    assert [(line["camera"], line["health"]) for line in health] == [("gone", "lost"), ("gone", "gave_up")]
    assert "3 restarts within 600 s did not help" in health[1]["detail"]
    assert "gave_up: 3 restarts" in err
    assert "camera=gone" in err
    assert any(line["camera"] == "desk" and line.get("frame", 0) > 20 for line in lines)


# A covered lens still gives noise; a driver that hangs gives the same bits again and again.
DARK = [jpeg(np.full((48, 64, 3), level, np.uint8)) for level in (3, 6)]


@pytest.mark.parametrize(
    ("kind", "bad"), [("black", DARK), ("frozen", [next(moving())])], ids=["black", "frozen"]
)
def test_no_picture_is_told_and_comes_back(tmp_path, clip_bundle_path, kind, bad):
    """The camera is opened anew, once: what helps against a frozen driver."""
    sick = [False]

    def pictures():
        good, number = moving(), 0
        while True:
            yield bad[number % len(bad)] if sick[0] else next(good)
            number += 1

    limits = {"black_s": 0, "frozen_s": 0, f"{kind}_s": 1.0}
    text = QUICK + "".join(f"{name} = {value}\n" for name, value in limits.items()) + "\n"
    network = HttpCamera(pictures)
    text += camera("door", network.url, clip_bundle_path)
    with network, Running(tmp_path / "a.toml", text) as running:
        running.wait_for(lambda: running.frames("door") > 10)
        sick[0] = True
        running.wait_for(lambda: kind in running.health())
        running.wait_for(lambda: network.connections == 2)
        sick[0] = False
        running.wait_for(lambda: "recovered" in running.health())
        status = running.runner.status.snapshot()["cameras"]["door"]
    assert running.health() == [kind, "recovered"]
    # It costs nothing of the budget: a dark night is no fault.
    assert (status["restarts"], status["health"]) == (0, None)
    assert kind in [line.get("reset") for line in running.lines("door", "step")]


def test_damaged_pictures_cost_nothing_but_themselves(tmp_path, bundle_path):
    """A folder of them; of ten thousand from a camera in the network see the sources' tests."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(1_000):
        name = folder / f"{number:05d}.jpg"
        name.write_bytes(
            b"\xff\xd8" + random.integers(0, 256, random.integers(0, 200)).astype(np.uint8).tobytes()
        )
    for number in (0, 500, 999):
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), np.full((8, 8), 200, np.uint8))
    with Running(tmp_path / "a.toml", camera("desk", folder, bundle_path)) as running:
        assert running.join() == 0
    assert [line["frame"] for line in running.lines("desk")] == [0, 500, 999]
    status = running.runner.status.snapshot()["cameras"]["desk"]
    assert (status["frames"], status["skipped"], status["state"]) == (3, 997, "stopped")


def faketime():
    """The library that changes what a process believes the time is."""
    return next(
        (str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
        ctypes.util.find_library("faketimeMT"),
    )


@pytest.mark.skipif(faketime() is None, reason="libfaketime is not installed")
def test_a_clock_that_jumps_changes_dates_only(tmp_path, clip_bundle_path):
    """An hour ahead, then a day back, as when a Pi without a clock reaches a time server."""
    log, clock, path = tmp_path / "lines.jsonl", tmp_path / "clock", tmp_path / "a.toml"
    clock.write_text("+0")
    path.write_text(
        camera("door", "live:synthetic:16x16@30", clip_bundle_path) + f"[jsonl]\npath = '{log}'\n"
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    command = [sys.executable, "-m", "rnnedge_device", "--config", str(path)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def lines():
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def wait_for_more(count):
        deadline, goal = time.monotonic() + 60, len(lines()) + count
        while len(lines()) < goal:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)

    try:
        wait_for_more(5)
        for jump in ("+1h", "-1d"):
            clock.write_text(jump)
            wait_for_more(10)
        process.terminate()
        err = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 0, err
    found = lines()
    days = {line["wall"][:10] for line in found}
    assert len(days) >= 2
    assert not [line for line in found if "health" in line]
    assert [line["reset"] for line in found if "reset" in line] == ["start"]
    steps = [line["ts_ms"] for line in found if "event" not in line]
    assert steps == sorted(steps)
    assert max(b - a for a, b in pairwise(steps)) < 60_000
