"""Sinks and files: whole or not there, the old file surviving whatever happens."""

import contextlib
import errno
import json
import os
import resource
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

from rnnedge_device import sinks
from rnnedge_device.bundle import read_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path, sha256
from rnnedge_device.overlay import Overlay
from rnnedge_device.sources import open_source
from rnnedge_device.stream import stream


@pytest.fixture(scope="module")
def classifier(bundle_path):
    return Classifier(read_bundle(bundle_path))


def run(classifier, spec, sink, **options):
    with open_source(str(spec)) as source:
        return stream(source, classifier, [sink], **options)


def leftovers(folder):
    return [path.name for path in folder.iterdir() if ".tmp" in path.name]


# --- files ---------------------------------------------------------------------------------------------


def test_a_file_takes_its_name_when_it_is_whole(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".json"
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_old_file_survives_an_error(tmp_path, error):
    target = tmp_path / "a.json"
    target.write_text("old")
    with contextlib.suppress(error), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == []


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with atomic_path(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_what_cannot_be_written_is_named(tmp_path):
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "a.txt", "does not exist")):
        with pytest.raises(InputError, match=message) as caught, atomic_path(path):
            pass
        assert str(path) in str(caught.value)


def test_sha256_of_a_known_text():
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- JSON lines ----------------------------------------------------------------------------------------


def test_one_event_a_line_with_the_declared_keys(classifier, clip, tmp_path):
    path = tmp_path / "events.jsonl"
    with sinks.JsonLines(str(path)) as sink:
        summary = run(classifier, clip, sink)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(events) == summary["frames"] == 24
    assert all(list(event) == ["ts_ms", "frame", "task", "label", "score", "latency_ms"] for event in events)
    assert [event["frame"] for event in events] == list(range(24))
    assert [event["ts_ms"] for event in events] == pytest.approx([n * 1000 / 12 for n in range(24)], abs=1)
    assert {event["task"] for event in events} == {"classify"}
    assert all(event["label"] in classifier.labels and 0 < event["score"] <= 1 for event in events)
    assert all(event["latency_ms"] > 0 for event in events)


def test_events_say_what_the_classifier_says(classifier, pictures, tiny, tmp_path):
    with sinks.JsonLines(str(tmp_path / "e.jsonl")) as sink:
        run(classifier, pictures, sink)
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    expected = [classifier.predict(image) for image in tiny.images[:10]]
    assert [event["label"] for event in events] == [found.label for found in expected]
    assert [event["score"] for event in events] == pytest.approx([e.score for e in expected], abs=1e-6)


def test_json_lines_into_a_pipe_arrive_one_by_one(classifier, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    lines, first = [], threading.Event()

    def read():
        with open(pipe) as stream_:
            for line in stream_:
                lines.append(json.loads(line))
                first.set()

    reader = threading.Thread(target=read)
    reader.start()
    with sinks.JsonLines(str(pipe)) as sink:
        run(classifier, "synthetic:8x8x1", sink)
        # It is there while the sink is still open.
        assert first.wait(20)
    reader.join(20)
    assert len(lines) == 1
    assert pipe.is_fifo()


# --- video ---------------------------------------------------------------------------------------------


def frames_of(path):
    with open_source(str(path)) as source:
        return [frame.image for frame in source], source.fps


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_the_saved_video_plays_and_is_whole(classifier, clip, tmp_path, suffix):
    path = tmp_path / f"seen{suffix}"
    with sinks.VideoFile(str(path), 12.0) as sink:
        run(classifier, clip, sink)
    frames, fps = frames_of(path)
    assert len(frames) == 24
    assert fps == pytest.approx(12)
    assert leftovers(tmp_path) == []
    # The frame is in it, enlarged, brighter from frame to frame; the bar below it is not the frame.
    assert int(frames[20][10, 10].mean()) - int(frames[3][10, 10].mean()) == pytest.approx(17 * 8, abs=12)


def test_frames_of_several_sizes_fit_one_video(classifier, tiny, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number, shape in enumerate([(31, 17), (400, 300), (8, 90), (17, 31)]):
        cv2.imwrite(str(folder / f"{number}.png"), np.full(shape, 60 * number, np.uint8))
    with sinks.VideoFile(str(tmp_path / "mixed.mp4"), 0.0) as sink:
        run(classifier, folder, sink)
    frames, fps = frames_of(tmp_path / "mixed.mp4")
    assert len(frames) == 4
    assert fps > 0


def test_a_video_of_no_frames_is_an_error_and_keeps_the_old(tmp_path):
    (tmp_path / "old.mp4").write_bytes(b"old")
    with pytest.raises(InputError, match="no frame"), sinks.VideoFile(str(tmp_path / "old.mp4"), 10.0):
        pass
    assert (tmp_path / "old.mp4").read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_video_of_another_kind_is_refused(tmp_path):
    with (
        pytest.raises(InputError, match=r"must end in \.mp4 or \.avi"),
        sinks.VideoFile(str(tmp_path / "x.gif"), 1),
    ):
        pass


def test_the_overlay_shows_confidence_and_leaves_the_frame_alone(classifier, tiny):
    image = tiny.images[0]
    before = image.copy()
    prediction = classifier.predict(image)
    canvas = Overlay()(image, prediction)
    assert (image == before).all()
    assert canvas.shape[2] == 3
    assert canvas.shape[0] % 2 == canvas.shape[1] % 2 == 0
    height = canvas.shape[0] - 44
    enlarged = np.kron(image, np.ones((height // 8, height // 8), np.uint8))
    assert (canvas[:height] == enlarged[..., None]).all()
    # The green bar is as long as the score.
    row = (canvas[height + 1] == (80, 175, 76)).all(axis=1)
    assert row.sum() == pytest.approx(prediction.score * canvas.shape[1], abs=2)
    assert (canvas[height + 8 :] > 128).any()  # text


# --- a disk that fills ---------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


# Each writes a good deal more than there is room for.
ENDS = [
    ("--jsonl", "events.jsonl", "synthetic:8x8x1500"),
    ("--save", "seen.mp4", "synthetic:320x240x300"),
]


def command(bundle_path, *arguments):
    return [sys.executable, "-m", "rnnedge_device", str(bundle_path), *map(str, arguments)]


@pytest.mark.parametrize(("option", "name", "source"), ENDS)
def test_a_full_disk_keeps_the_old_file(bundle_path, small_disk, option, name, source):
    old = small_disk / name
    old.write_bytes(b"old and whole")
    done = subprocess.run(
        command(bundle_path, "--source", source, option, old, "--json"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "left as it was" in done.stderr
    assert "Traceback" not in done.stderr
    assert old.read_bytes() == b"old and whole"
    assert [path.name for path in small_disk.iterdir()] == [name]


@pytest.mark.parametrize(("option", "name", "source"), ENDS)
def test_a_file_that_may_not_grow_keeps_the_old_one(bundle_path, tmp_path, option, name, source):
    """The same without the right to mount: a limit on the size of files."""
    old = tmp_path / name
    old.write_bytes(b"old and whole")
    done = subprocess.run(
        command(bundle_path, "--source", source, option, old, "--json"),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert done.returncode == 1
    assert os.strerror(errno.EFBIG if option == "--jsonl" else errno.EIO) in done.stderr
    assert "Traceback" not in done.stderr
    assert old.read_bytes() == b"old and whole"
    assert [path.name for path in tmp_path.iterdir()] == [name]
