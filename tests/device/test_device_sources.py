"""Sources on real files: every frame, in order, and a clear error for what is not there."""

import itertools
import subprocess
import sys

import cv2
import numpy as np
import pytest

from rnnedge_device.errors import SourceError
from rnnedge_device.images import list_images, read_image
from rnnedge_device.sources import open_source


def test_every_frame_of_a_video_in_order(clip):
    with open_source(str(clip)) as source:
        frames = list(source)
        assert source.fps == pytest.approx(12)
        assert (source.dropped, source.skipped) == (0, 0)
    assert [frame.index for frame in frames] == list(range(24))
    assert all(frame.image.shape == (80, 96, 3) and frame.image.dtype == np.uint8 for frame in frames)
    # Each frame's ground is 8 levels brighter than the last one's; lossy, so to a few levels.
    ground = [int(frame.image[2, 2].mean()) for frame in frames]
    assert ground == pytest.approx([8 * number for number in range(24)], abs=4)


def test_a_videos_timestamps_are_its_positions(clip):
    with open_source(str(clip)) as source:
        times = [frame.ts_ms for frame in source]
    assert times == pytest.approx([number * 1000 / 12 for number in range(24)], abs=1)


def test_a_folder_of_images_is_sorted_and_whole(pictures, tiny):
    (pictures / "sub").mkdir()
    cv2.imwrite(str(pictures / "sub" / "10.png"), tiny.images[10])
    (pictures / "notes.txt").write_text("not an image")
    (pictures / ".hidden.png").write_bytes((pictures / "00.png").read_bytes())
    with open_source(str(pictures)) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(11))
    for frame, image in zip(frames, tiny.images, strict=False):
        assert (frame.image == image[..., None]).all()
    times = [frame.ts_ms for frame in frames]
    assert times == sorted(times)
    assert list_images(pictures)[-1].name == "10.png"


def test_a_folder_with_a_rate_is_a_film(pictures):
    """A damaged frame leaves a hole in the numbers, and in the times."""
    (pictures / "04.png").write_bytes(b"")
    with open_source(f"{pictures}@12.5") as source:
        frames = list(source)
        assert (source.fps, source.timed) == (12.5, True)
    assert [frame.ts_ms for frame in frames] == [80.0 * number for number in range(10) if number != 4]
    with open_source(str(pictures)) as source:
        assert (source.fps, source.timed) == (0.0, False)


def test_a_folder_whose_name_ends_like_a_rate_is_that_folder(pictures):
    named = pictures.rename(pictures.with_name("pictures@12"))
    with open_source(str(named)) as source:
        assert not source.timed
    with open_source(f"{named}@5") as source:
        assert [frame.ts_ms for frame in source][:2] == [0.0, 200.0]
    for spec in (f"{named}@0", f"{named}@fast", f"{named}s@5"):
        with pytest.raises(SourceError, match="no such file or folder"):
            open_source(spec)


def test_one_image(pictures, tiny):
    with open_source(str(pictures / "03.png")) as source:
        (frame,) = source
    assert (frame.image[..., 0] == tiny.images[3]).all()


def test_an_image_that_cannot_be_decoded_is_named_skipped_and_counted(pictures, capsys):
    (pictures / "04.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (pictures / "05.png").write_bytes(b"")
    with open_source(str(pictures)) as source:
        indices = [frame.index for frame in source]
        assert source.skipped == 2
    assert indices == [0, 1, 2, 3, 6, 7, 8, 9]
    err = capsys.readouterr().err
    assert "04.png" in err
    assert "05.png" in err


def test_nothing_but_broken_images_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    for spec in (tmp_path, tmp_path / "a.png"):
        with open_source(str(spec)) as source, pytest.raises(SourceError, match=r"a\.png"):
            list(source)


def test_images_come_as_bgr(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    image[...] = (250, 120, 10)
    cv2.imwrite(str(tmp_path / "blue.png"), image)
    assert (read_image(tmp_path / "blue.png") == image).all()
    with pytest.raises(SourceError, match=r"gone\.png.*No such file"):
        read_image(tmp_path / "gone.png")


def test_synthetic_frames_are_the_same_every_time():
    runs = []
    for _ in range(2):
        with open_source("synthetic:64x48@20x30") as source:
            runs.append(list(source))
            assert source.fps == 20
    assert len(runs[0]) == 30
    assert runs[0][0].image.shape == (48, 64, 3)
    assert [frame.ts_ms for frame in runs[0]] == [number * 50 for number in range(30)]
    assert all((a.image == b.image).all() for a, b in zip(*runs, strict=True))
    moves = [(a.image != b.image).any() for a, b in itertools.pairwise(runs[0])]
    assert all(moves)


def test_plain_synthetic_does_not_end():
    with open_source("synthetic") as source:
        frames = list(itertools.islice(source, 500))
    assert [frame.index for frame in frames] == list(range(500))
    assert frames[0].image.shape == (240, 320, 3)


@pytest.mark.parametrize("spec", ["synthetic:1x1x4", "synthetic:2x1000x3", "synthetic:1000x2@0.5x3"])
def test_synthetic_of_odd_sizes(spec):
    with open_source(spec) as source:
        assert len(list(source)) == int(spec[-1])


def test_a_stopped_source_ends():
    with open_source("synthetic") as source:
        seen = 0
        for frame in source:
            seen = frame.index
            if seen == 5:
                source.stop()
    assert seen == 5


@pytest.mark.parametrize(
    "spec",
    ["synthetic:", "synthetic:0x4", "synthetic:4", "synthetic:4x4@0", "synthetic:4x4@x2", "synthetics"],
)
def test_a_bad_synthetic_says_what_is_allowed(spec):
    with pytest.raises(SourceError, match="WIDTHxHEIGHT") as caught:
        open_source(spec)
    assert repr(spec) in str(caught.value)


@pytest.mark.parametrize("spec", ["97", "/dev/video97", "no/such/file.mp4", "", "rtsp://nowhere.invalid/x"])
def test_a_source_that_is_not_there_is_named(spec, capfd):
    with pytest.raises(SourceError, match="camera") as caught:
        open_source(spec)
    assert repr(spec) in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"not a video " * 500, "half"])
def test_an_unreadable_video_is_named(content, clip, tmp_path):
    path = tmp_path / "bad.mp4"
    # Half an MP4 lacks its index, which lies at the end.
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2] if content == "half" else content)
    with pytest.raises(SourceError, match="not a readable video") as caught:
        open_source(str(path))
    assert str(path) in str(caught.value)
    # In a process of its own, where FFmpeg is asked to be quiet before its first word.
    done = subprocess.run(
        [sys.executable, "-c", f"from rnnedge_device.sources import open_source; open_source({str(path)!r})"],
        capture_output=True,
        text=True,
    )
    *_, last = done.stderr.splitlines()
    assert last.startswith("rnnedge_device.errors.SourceError")
    assert done.stderr.startswith("Traceback")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"no images in it; readable: \.png") as caught:
        open_source(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
