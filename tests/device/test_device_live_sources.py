"""Sources that come by themselves: cameras in the network, pipes, files at their own rate, recordings."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from http_camera import HttpCamera, moving
from running import Running, camera

from rnnedge_device.errors import SourceError, SourceHungError, SourceLostError
from rnnedge_device.sources import device_of, open_source
from rnnedge_device.sources.camera_spec import CameraSpec, public_name
from rnnedge_device.sources.raw import RawSource

DAMAGED = int(os.environ.get("RNNEDGE_DAMAGED", "1000"))  # pictures; `make test-faults` sends ten thousand


def gone(pid):
    """Has the process ended, at latest in 20 seconds?"""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def read_on(source, timeout_s):
    while source.read(timeout_s):
        pass


# --- what a text names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", CameraSpec("0")),
        ("12:1280x720", CameraSpec("12", (1280, 720))),
        ("/dev/video0:640x480@29.97,mjpg", CameraSpec("/dev/video0", (640, 480), 29.97, True)),
        ("/dev/v4l/by-id/usb-cam-index0", CameraSpec("/dev/v4l/by-id/usb-cam-index0")),
        ("0,mjpg", CameraSpec("0", mjpg=True)),
        ("picamera1:320x240@15", CameraSpec("picamera1", (320, 240), 15.0)),
        ("clip.mp4", None),
        ("0.mp4", None),
        ("synthetic:64x48@30", None),
    ],
)
def test_a_camera_in_its_parts(text, expected):
    assert CameraSpec.parse(text) == expected


@pytest.mark.parametrize("text", ["0:0x480", "0:640x0", "picamera:64x48@0"])
def test_a_camera_of_no_size_is_refused(text):
    with pytest.raises(SourceError, match="all above zero") as caught:
        open_source(text)
    assert repr(text) in str(caught.value)


def test_one_device_has_one_name(tmp_path):
    link = tmp_path / "door"
    link.symlink_to("/dev/video3")
    assert {device_of(text) for text in ("3", "/dev/video3", "3:64x48@5,mjpg")} == {"/dev/video3"}
    assert device_of("picamera") == device_of("picamera0:64x48") == "picamera0"
    assert device_of("raw:4x4") == device_of("live:raw:8x8@5") == "standard input"
    assert device_of("clip.mp4") is device_of("http://127.0.0.1/") is None


def test_a_password_is_not_shown():
    url = "rtsp://user:p%40ss@127.0.0.1:1/stream"
    assert public_name(url) == "rtsp://***@127.0.0.1:1/stream"
    with pytest.raises(SourceError, match=r"rtsp://\*\*\*@127\.0\.0\.1:1/stream") as caught:
        open_source(url)
    assert "p%40ss" not in str(caught.value)


def test_a_camera_of_the_pi_needs_its_library():
    with pytest.raises(SourceError, match="apt install python3-picamera2"):
        open_source("picamera")


def test_a_camera_of_the_pi_is_asked_for_its_mode(tmp_path, monkeypatch):
    """No such camera is at hand: a module of that name stands in for it, in the real capture process."""
    (tmp_path / "picamera2.py").write_text(
        """
import time
import numpy as np

class Request:
    def __init__(self, mode, count): self.mode, self.count = mode, count
    def make_array(self, name):
        width, height = self.mode["main"]["size"]
        return np.full((height, width, 3), self.count, np.uint8)
    def get_metadata(self): return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 250_000_000}
    def release(self): pass

class Picamera2:
    def __init__(self, number):
        if number != 1: raise IndexError("list index out of range")
    def create_video_configuration(self, main, controls):
        assert main["format"] == "RGB888" and controls == {"FrameRate": 12.0}
        return {"main": main}
    def configure(self, mode): self.mode, self.count = mode, 0
    def start(self): pass
    def capture_request(self):
        time.sleep(0.02)
        self.count += 1
        return Request(self.mode, self.count)
    def close(self): pass
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with open_source("picamera1:32x16@12") as source:
        frame = source.read(20)
        assert frame.image.shape == (16, 32, 3)
        assert source.fps == 12
        # The sensor began the frame a quarter of a second before it was here.
        assert time.monotonic() - frame.taken_s >= 0.25
    with pytest.raises(SourceError, match="'picamera0': the camera cannot be opened"):
        open_source("picamera0:32x16@12")


# --- a camera in the network, in a process of its own --------------------------------------------------


def test_the_newest_frame_of_a_network_camera():
    with HttpCamera(moving) as camera, open_source(camera.url) as source:
        frames = [source.read(20) for _ in range(5)]
        # What comes while nobody reads is passed over; on a busy machine it takes its time to come.
        for _ in range(60):
            time.sleep(0.5)
            frames.append(source.read(20))
            if frames[-1].index > frames[-2].index + 1:
                break
    assert all(frame.image.shape == (48, 64, 3) for frame in frames)
    assert (source.live, source.timed) == (True, True)
    times = [frame.taken_s for frame in frames]
    assert times == sorted(set(times))
    assert [frame.ts_ms for frame in frames] == sorted(frame.ts_ms for frame in frames)
    assert frames[-1].index > frames[-2].index + 1
    assert source.dropped == frames[-1].index + 1 - len(frames)


def test_a_read_that_hangs_has_a_deadline_and_its_process_is_killed():
    def silent():
        yield from islice(moving(), 5)
        while True:
            yield None

    with HttpCamera(silent) as camera:
        source = open_source(camera.url)
        with pytest.raises(SourceHungError, match=r"no frame for 0\.5 s"):
            read_on(source, 0.5)
        pid = source._child.pid
        source.close()
        source.close()
        assert gone(pid)


def test_a_capture_process_that_dies_is_a_lost_source():
    with HttpCamera(moving) as camera, open_source(camera.url) as source:
        assert source.read(20)
        os.kill(source._child.pid, signal.SIGSEGV)
        with pytest.raises(SourceLostError, match="the capture process ended"):
            read_on(source, 20)


def test_a_capture_process_does_not_outlive_its_parent():
    code = (
        "import sys, time\nfrom rnnedge_device.sources import open_source\n"
        "source = open_source(sys.argv[1]); source.read(20)\n"
        "print(source._child.pid, flush=True); time.sleep(60)"
    )
    with HttpCamera(moving) as camera:
        parent = subprocess.Popen([sys.executable, "-c", code, camera.url], stdout=subprocess.PIPE, text=True)
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.communicate()
        assert gone(pid)


def damaged(picture, number, random):
    """A JPEG picture cut off, with changed bytes, of noise, or of zeros."""
    data = np.frombuffer(picture, np.uint8).copy()
    if number % 4 == 0:
        data = data[: 2 + random.integers(len(data) - 2)]
    elif number % 4 == 1:
        data[random.integers(0, len(data), 20)] = random.integers(0, 256, 20)
    elif number % 4 == 2:
        data = random.integers(0, 256, len(data)).astype(np.uint8)
    else:
        data[2:] = 0
    return data.tobytes()


def test_damaged_pictures_are_passed_over():
    random, sent = np.random.default_rng(0), []

    def pictures():
        good = moving()
        yield from islice(good, 20)
        for number in range(DAMAGED):
            yield damaged(next(good), number, random)
        sent.append("all")
        yield from good

    with HttpCamera(pictures, fps=0) as camera, open_source(camera.url) as source:
        pid, after = source._child.pid, 0
        for _ in range(100_000):
            assert source.read(60) is not None
            after += bool(sent)
            if after > 100:
                break
        # One connection and one process saw it through.
        assert (camera.connections, source._child.pid) == (1, pid)
        assert source._child.poll() is None
        assert source.skipped > DAMAGED / 2


def test_a_camera_without_a_config_is_opened_again_too(clip_bundle_path, tmp_path, run_cli):
    """Its first connection ends after a while."""
    connections = []

    def pictures():
        connections.append(1)
        yield from islice(moving(), 40)
        if len(connections) > 1:
            yield from moving()

    lines = tmp_path / "lines.jsonl"
    with HttpCamera(pictures) as network:
        arguments = ("--source", network.url, "--jsonl", lines, "--max-frames", 60, "--json")
        code, out, err = run_cli(clip_bundle_path, *arguments)
    assert code == 0, err
    said = [line.removeprefix(f"rnnedge-run: {network.url}: ").split(":")[0] for line in err.splitlines()]
    assert said[:2] == ["lost", "recovered"]
    summary = json.loads(out)
    assert summary["frames"] == 60
    assert {"start", "lost"} <= set(summary["resets"])
    steps = [line for line in map(json.loads, lines.read_text().splitlines()) if "event" not in line]
    for key in ("frame", "ts_ms"):
        values = [line[key] for line in steps]
        assert values == sorted(values)


# --- pipes ---------------------------------------------------------------------------------------------


def test_raw_frames_of_a_stream():
    images = np.random.default_rng(1).integers(0, 256, (4, 6, 8, 3), np.uint8)
    source = RawSource("raw:8x6@5", io.BytesIO(images.tobytes() + b"half a frame"))
    frames = list(source)
    assert np.array_equal([frame.image for frame in frames], images)
    assert [frame.ts_ms for frame in frames] == [0, 200, 400, 600]
    assert (source.fps, source.skipped) == (5, 1)
    gray = RawSource("raw:8x6,gray", io.BytesIO(images[0, ..., 0].tobytes()))
    assert (gray.read(1).image == images[0, ..., 0]).all()
    assert gray.read(1) is None


def test_raw_frames_on_standard_input(bundle_path, tiny, pictures, run_cli):
    command = [sys.executable, "-m", "rnnedge_device", str(bundle_path), "--source", "raw:8x8@30,gray"]
    data = np.stack(tiny.images[:10]).tobytes()
    done = subprocess.run([*command, "--jsonl", "-"], input=data, capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    _, expected, _ = run_cli(bundle_path, "--source", pictures, "--jsonl", "-")
    assert [line["label"] for line in lines] == [json.loads(line)["label"] for line in expected.splitlines()]


@pytest.mark.parametrize("text", ["raw:", "raw:8", "raw:8x0", "raw:8x8@0", "raw:8x8,rgb"])
def test_a_bad_pipe_says_what_is_allowed(text):
    with pytest.raises(SourceError, match="WIDTHxHEIGHT") as caught:
        open_source(text)
    assert repr(text) in str(caught.value)


# --- files at their own rate ---------------------------------------------------------------------------


def test_a_file_at_its_own_rate_waits_for_nobody():
    begin = time.monotonic()
    with open_source("live:synthetic:16x16@50x40") as source:
        first = source.read(20)
        time.sleep(0.3)
        rest = list(source)
    assert time.monotonic() - begin >= 39 / 50
    assert first.index == 0
    assert rest[0].index > 5
    assert rest[-1].index == 39
    assert 1 + len(rest) + source.dropped == 40
    assert (source.fps, source.live) == (50, True)


@pytest.mark.parametrize("text", ["live:0", "live:live:synthetic", "live:http://127.0.0.1/"])
def test_what_is_live_already_cannot_be_made_so(text):
    with pytest.raises(SourceError, match="live: is for"):
        open_source(text)


def test_loose_pictures_have_no_rate(pictures):
    with pytest.raises(SourceError, match="FOLDER@12"):
        open_source(f"live:{pictures}")


# --- recordings ----------------------------------------------------------------------------------------


def untimed(text):
    return [
        {key: value for key, value in json.loads(line).items() if key not in ("latency_ms", "source")}
        for line in text.splitlines()
    ]


def test_a_recording_gives_the_same_lines(clip_bundle_path, clip, tmp_path, run_cli):
    """Of a video and of a drawing, each in a file of its own; times to the last bit."""
    record = tmp_path / "seen.rec"
    sources = ("--source", clip, "--source", "synthetic:33x17@29.97x50")
    code, out, _ = run_cli(clip_bundle_path, *sources, "--record", record, "--jsonl", "-")
    assert code == 0
    again = ("--source", f"replay:{record}", "--source", f"replay:{tmp_path / 'seen-2.rec'}")
    code, replayed, _ = run_cli(clip_bundle_path, *again, "--jsonl", "-")
    assert code == 0
    assert untimed(replayed) == untimed(out)
    with open_source(f"replay:{record}") as source, open_source(str(clip)) as original:
        for mine, theirs in zip(source, original, strict=True):
            assert (mine.ts_ms, mine.index) == (theirs.ts_ms, theirs.index)
            assert (mine.image == theirs.image).all()
        assert source.fps == original.fps


def test_a_recording_that_was_cut_off_is_whole_to_its_last_frame(bundle_path, tmp_path, run_cli):
    record = tmp_path / "seen.rec"
    run_cli(bundle_path, "--source", "synthetic:16x16x10", "--record", record)
    data = record.read_bytes()
    for left in (1, 16 * 16 * 3, 16 * 16 * 3 + 5):
        record.write_bytes(data[:-left])
        with open_source(f"replay:{record}") as source:
            assert len(list(source)) == 9
            assert source.skipped == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"RIFF" + data, "is not a recording"),
        (lambda data: b"", "is not a recording"),
        (lambda data: data.replace(b'"fps"', b'"fqs"', 1), "head is damaged"),
        (lambda data: data.replace(b"[16, 16, 3]", b"[16, 16, 9999999]", 1), "a frame of shape"),
        (lambda data: data.replace(b'"ts_ms"', b'"ts_mt"', 1), "the recording is damaged"),
        (lambda data: data.replace(b"[16, 16, 3]", b"[16, 17, 3]", 1), "the recording is damaged"),
    ],
)
def test_a_damaged_recording_is_one_message(bundle_path, tmp_path, run_cli, change, message):
    record = tmp_path / "seen.rec"
    run_cli(bundle_path, "--source", "synthetic:16x16x3", "--record", record)
    record.write_bytes(change(record.read_bytes()))
    code, _, err = run_cli(bundle_path, "--source", f"replay:{record}")
    assert code == 2
    assert message in err
    assert len(err.splitlines()) <= 2


def test_no_recording_is_named(bundle_path, tmp_path, run_cli):
    code, _, err = run_cli(bundle_path, "--source", f"replay:{tmp_path / 'gone.rec'}")
    assert (code, "No such file" in err) == (2, True)


# --- a file that hangs ---------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path):
    """Makes files that never say that they are at their end, as on a network disk that is gone."""
    ends = []

    def make(name):
        os.mkfifo(tmp_path / name)
        ends.append(tmp_path / name)
        return tmp_path / name

    yield make
    for path in ends:
        # Whoever still waits for the other end finds it closed.
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def feed(path, data):
    """Someone writes and then keeps still, until what this gives is called."""
    done = threading.Event()

    def write():
        with open(path, "wb", buffering=0) as stream:
            stream.write(data)
            done.wait(120)

    threading.Thread(target=write, daemon=True).start()
    return done.set


def recorded(bundle_path, tmp_path, run_cli, frames):
    record = tmp_path / "whole.rec"
    run_cli(bundle_path, "--source", f"synthetic:16x16x{frames}", "--record", record)
    return record.read_bytes()


@pytest.mark.parametrize("text", ["{}", "replay:{}", "live:{}"])
def test_a_file_that_does_not_open_has_a_deadline(pipe, text):
    path = pipe("clip.mp4")
    with pytest.raises(SourceHungError, match=r"clip\.mp4': does not open within 0\.5 s"):
        open_source(text.format(path), open_s=0.5)


def test_a_file_that_hangs_has_a_deadline(pipe, bundle_path, tmp_path, run_cli):
    data = recorded(bundle_path, tmp_path, run_cli, 10)
    path = pipe("seen.rec")
    close = feed(path, data[:-5])
    with open_source(f"replay:{path}", open_s=60) as source:
        frames = [source.read(60) for _ in range(9)]
        assert [frame.index for frame in frames] == list(range(9))
        with pytest.raises(SourceHungError, match=r"seen\.rec': no frame for 0\.5 s"):
            source.read(0.5)
    close()


def test_a_file_that_hangs_ends_its_camera_only(pipe, bundle_path, tmp_path, run_cli):
    data = recorded(bundle_path, tmp_path, run_cli, 10)
    path = pipe("seen.rec")
    close = feed(path, data[:-5])
    text = "[runner]\nhang_s = 0.5\n\n" + camera("file", f"replay:{path}", bundle_path)
    text += camera("desk", "synthetic:16x16x50", bundle_path)
    with Running(tmp_path / "a.toml", text) as running:
        assert running.join() == 3
    close()
    assert [line["frame"] for line in running.lines("file", "step")] == list(range(9))
    assert running.health() == ["gave_up"]
    assert "no frame for 0.5 s" in running.lines("file", "health")[0]["detail"]
    assert running.frames("desk") == 50


def test_what_lies_ahead_is_not_counted_yet(pictures):
    """Pictures that cannot be read count as skipped when their turn comes."""
    for name in ("!.png", "zzz.png"):
        (pictures / name).write_bytes(b"none")
    with open_source(str(pictures)) as source:
        first = source.read(60)
        assert (first.index, source.skipped) == (1, 1)
        rest = list(source)
        assert source.skipped == 2
        assert [frame.index for frame in rest] == list(range(2, 2 + len(rest)))
