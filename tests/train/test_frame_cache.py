"""The frame cache: what comes out is what a stream would see, decoded once, rebuilt when damaged or stale."""

import io
import os
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from films import OPTIONS, PREPROCESS, film, numbers, pictures

from rnnedge.data import ClipOptions
from rnnedge.data.clips import frames_near
from rnnedge.data.frame_cache import cache_videos, default_cache
from rnnedge_device.errors import InputError
from rnnedge_device.foreground import Foreground
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.rate import FramePicker
from rnnedge_device.sources import open_source


def cached(path, cache, preprocess=PREPROCESS, options=OPTIONS, **more):
    """One video through the cache."""
    good, skipped = cache_videos({"v": path}, preprocess, options, cache=cache, **more)
    assert not skipped
    return good["v"]


def test_frames_are_the_streams_pixels(tmp_path):
    path = film(tmp_path / "a.avi", 20)
    video = cached(path, tmp_path / "cache")
    with open_source(str(path)) as source:
        expected = [(frame.ts_ms, PREPROCESS.pixels(frame.image)) for frame in source]
    assert np.array_equal(video.frames[:], np.stack([pixels for _, pixels in expected]))
    assert np.allclose(video.ts_ms, [ts for ts, _ in expected])
    assert len(video.frames) == len(video.ts_ms) == 20


def test_frames_are_picked_at_the_models_rate(tmp_path):
    slow, fast = film(tmp_path / "15.avi", 45, 15.0), film(tmp_path / "30.avi", 90, 30.0)
    options = ClipOptions(fps=15.0, stride=3)
    a, b = (cached(path, tmp_path / "cache", options=options) for path in (slow, fast))
    assert numbers(a.frames[:10]) == list(range(0, 30, 3))
    assert np.allclose(a.ts_ms, np.arange(15) * 200)
    assert np.allclose(b.ts_ms, a.ts_ms)
    held = cached(slow, tmp_path / "cache", options=ClipOptions(fps=30.0))
    assert 88 <= len(held.frames) <= 90  # a slower source's frames are held
    assert set(numbers(held.frames[:50])) >= set(range(24))
    assert np.all(np.diff(held.ts_ms) > 0)


def test_a_foreground_is_the_streams_though_training_sees_frames_between(tmp_path):
    """The same steps in the cache, which keeps every frame, and on a device, which takes every third alone."""
    spec = Foreground(learn=2, detail=2)
    preprocess = Preprocess((8, 12), foreground=spec)
    path = film(tmp_path / "a.avi", 45, 15.0)
    options = ClipOptions(fps=15.0, stride=3)
    video = cached(path, tmp_path / "cache", preprocess, options)
    assert video.frames.shape[0] == 45
    picker, view = FramePicker(options.rate), preprocess.view()
    with open_source(str(path)) as source:
        expected = [view.pixels(frame.image) for frame in source if picker.take(frame.ts_ms)]
    assert video.frames[:].shape == (15, 8, 12, 2)
    assert np.array_equal(video.frames[:], np.stack(expected))


def test_items_and_parts(tmp_path):
    frames = cached(film(tmp_path / "a.avi", 20), tmp_path / "cache").frames
    part = frames.part(slice(5, 12))
    assert len(part) == 7
    assert numbers(part[:]) == list(range(5, 12))
    assert numbers(part[2:4]) == [7, 8]
    assert numbers(part[np.array([6, 0, 0])]) == [11, 5, 5]
    assert numbers(part.part(slice(1, 3))[:]) == [6, 7]
    assert numbers(part.part(slice(4, 100))[:]) == [9, 10, 11]
    assert part[100:].shape == (0, 8, 12, 1)


def test_a_part_knows_the_frames_around_it_and_between_its_steps(tmp_path):
    path = film(tmp_path / "a.avi", 30, 15.0)
    part = cached(path, tmp_path / "cache", options=ClipOptions(fps=15.0, stride=3)).frames.part(slice(3, 6))
    assert numbers(part[:]) == [9, 12, 15]
    positions = np.array([0, 1, 2, 0.4, 1.7, -1, -0.6, 2.3, 4, -99, 99])
    assert numbers(frames_near(part, positions)) == [9, 12, 15, 10, 14, 6, 7, 16, 21, 0, 29]
    assert numbers(frames_near(part[:], positions)) == [9, 12, 15, 9, 15, 9, 9, 15, 15, 9, 15]


def test_a_stride_sees_what_a_stream_of_its_rate_sees(tmp_path):
    """Whatever the camera's rate: frames kept between the steps change neither the steps nor their times."""
    for fps in (11.0, 15.0, 24.0, 31.0):
        path = film(tmp_path / f"{fps}.avi", 70, fps)
        strided = cached(path, tmp_path / "cache", options=ClipOptions(fps=15.0, stride=3))
        plain = cached(path, tmp_path / "cache", options=ClipOptions(fps=5.0))
        assert np.array_equal(strided.ts_ms, plain.ts_ms)
        assert np.array_equal(strided.frames[:], plain.frames[:])
        assert strided.frames.shape[0] > 2 * plain.frames.shape[0]


def test_a_video_is_decoded_once(tmp_path):
    path = film(tmp_path / "a.avi")
    first = cached(path, tmp_path / "cache")
    made = first.frames.path.stat()
    again = cached(path, tmp_path / "cache", replace(PREPROCESS, scale=1.0, mean=(0.5,), std=(2.0,)))
    assert again.frames.path.stat().st_mtime_ns == made.st_mtime_ns
    assert again.frames.path.stat().st_ino == made.st_ino
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert np.array_equal(np.load(first.frames.path, mmap_mode="r"), first.frames[:])


@pytest.mark.parametrize(
    ("preprocess", "options"),
    [
        (Preprocess((8, 10)), OPTIONS),
        (replace(PREPROCESS, color="rgb"), OPTIONS),
        (replace(PREPROCESS, invert=True), OPTIONS),
        (replace(PREPROCESS, equalize=True), OPTIONS),
        (PREPROCESS, ClipOptions(fps=5.0)),
    ],
)
def test_what_the_pixels_depend_on_is_kept_apart(tmp_path, preprocess, options):
    path = film(tmp_path / "a.avi")
    before = cached(path, tmp_path / "cache")
    other = cached(path, tmp_path / "cache", preprocess, options)
    assert other.frames.path != before.frames.path
    assert other.frames[:].shape[1:] == preprocess.shape
    assert np.array_equal(other.frames[0], preprocess.pixels(next(iter(open_source(str(path)))).image))


def test_a_changed_video_is_decoded_anew(tmp_path):
    path = film(tmp_path / "a.avi", start=10)
    assert numbers(cached(path, tmp_path / "cache").frames[:3]) == [0, 1, 2]
    film(path, start=60)
    os.utime(path, ns=(1, 1))
    assert numbers(cached(path, tmp_path / "cache").frames[:3]) == [10, 11, 12]


def array_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "kind", ["empty", "cut", "cut in the pixels", "noise", "header", "other shape", "other times"]
)
def test_a_damaged_cache_file_is_rebuilt(tmp_path, kind):
    path = film(tmp_path / "a.avi")
    good = cached(path, tmp_path / "cache")
    file, pixels = good.frames.path, good.frames[:]
    data = file.read_bytes()
    damaged = {
        "empty": b"",
        "cut": data[:-9],
        "cut in the pixels": data[:300],
        "noise": bytes(range(256)) * 20,
        "header": data[:9] + b"?" + data[10:],
        "other times": data[: -8 * 20 - 128] + array_bytes(np.zeros(3)),
    }
    if kind == "other shape":
        np.save(file, np.zeros((3, 4, 4, 1), np.uint8))
    else:
        file.write_bytes(damaged[kind])
    again = cached(path, tmp_path / "cache")
    assert np.array_equal(again.frames[:], pixels)
    assert np.array_equal(again.ts_ms, good.ts_ms)
    assert file.read_bytes() == data


def test_folders_of_frames_play_in_the_order_of_their_numbers(tmp_path):
    folder = pictures(tmp_path / "gesture", 12)  # 10.png sorts before 2.png as text
    video = cached(folder, tmp_path / "cache", options=ClipOptions(fps=12.0, stride=2))
    assert numbers(video.frames[:]) == list(range(0, 12, 2))
    assert np.allclose(video.ts_ms, np.arange(6) * 1000 / 6)
    (folder / "12.png").write_bytes((folder / "11.png").read_bytes())
    assert len(cached(folder, tmp_path / "cache").frames) == 13


def damaged_videos(root):
    """A good video and five that are not whole."""
    videos = {"good": film(root / "good.avi")}
    for name, data in {"empty": b"", "text": b"no video"}.items():
        videos[name] = root / f"{name}.avi"
        videos[name].write_bytes(data)
    videos["cut"] = film(root / "cut.avi", 40)
    videos["cut"].write_bytes(videos["cut"].read_bytes()[: videos["cut"].stat().st_size // 2])
    videos["picture"] = pictures(root / "picture")
    (videos["picture"] / "3.png").write_bytes(b"no picture")
    videos["nothing"] = root / "nothing"
    videos["nothing"].mkdir()
    return videos


def test_damaged_videos_are_skipped_and_counted(tmp_path, caplog):
    videos = damaged_videos(tmp_path)
    good, skipped = cache_videos(videos, PREPROCESS, OPTIONS, cache=tmp_path / "cache")
    assert list(good) == ["good"]
    assert skipped == ["empty", "text", "cut", "picture", "nothing"]
    assert all(str(videos[name]) in caplog.text for name in skipped)
    assert "of 3.9 s" in caplog.text
    assert [f.name[:5] for f in (tmp_path / "cache").iterdir()] == ["good-"]


def test_strict_stops_at_a_damaged_video(tmp_path):
    videos = damaged_videos(tmp_path)
    with pytest.raises(InputError, match=r"empty\.avi: cannot be decoded"):
        cache_videos(videos, PREPROCESS, OPTIONS, cache=tmp_path / "cache", strict=True)


def test_a_set_is_not_held_in_memory(tmp_path):
    videos = {str(i): film(tmp_path / f"{i}.avi", 40, size=(160, 120)) for i in range(16)}
    preprocess = Preprocess((120, 160))
    cache_videos(videos, preprocess, OPTIONS, cache=tmp_path / "cache", workers=3)
    tracemalloc.start()
    try:
        good, _ = cache_videos(videos, preprocess, OPTIONS, cache=tmp_path / "cache")
        for video in good.values():
            assert video.frames[3:5].shape == (2, 120, 160, 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(file.stat().st_size for file in (tmp_path / "cache").iterdir()) > 12e6
    assert peak < 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
def test_a_set_keeps_no_files_open(tmp_path):
    videos = {str(i): film(tmp_path / f"{i}.avi", 3) for i in range(20)}
    good, _ = cache_videos(videos, PREPROCESS, OPTIONS, cache=tmp_path / "cache")
    before = len(os.listdir("/proc/self/fd"))
    kept = [video.frames for video in good.values()]
    first = [frames[:1] for frames in kept]
    assert len(first) == 20
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_the_cache_lies(tmp_path, monkeypatch):
    monkeypatch.setenv("RNNEDGE_CACHE", str(tmp_path / "own"))
    assert default_cache() == tmp_path / "own"
    monkeypatch.delenv("RNNEDGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg" / "rnnedge" / "frames"
    path = film(tmp_path / "a.avi")
    assert cached(path, None).frames.path.parent == default_cache()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "rnnedge" / "frames"


def test_a_cache_that_cannot_be_made_is_named(tmp_path):
    path = film(tmp_path / "a.avi")
    with pytest.raises(InputError, match=r"cache='.*a\.avi/cache': cannot be made"):
        cached(path, path / "cache")
    with pytest.raises(InputError, match="workers=0"):
        cached(path, tmp_path, workers=0)
