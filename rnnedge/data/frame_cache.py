"""Decoded videos in a cache folder, one ``.npy`` file each, read a few frames at a time: never a whole set in memory.

A file holds uint8 ``[N, h, w, c]`` as NumPy writes it, at the model's size: the frames that the model sees, and with a
stride those between them, which training may show it. Behind them lie which of the N each of the model's T steps sees,
int64 ``[T]``, and the steps' times, float64 ``[T]``. Its name follows the video's path, size and date and everything
that the pixels depend on, so that a change of any of them decodes anew. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from rnnedge.data.clips import ClipOptions, nearest
from rnnedge_device.errors import InputError, SourceError
from rnnedge_device.files import atomic_path
from rnnedge_device.images import IMAGE_SUFFIXES, read_image
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.rate import FramePicker
from rnnedge_device.source import Frame
from rnnedge_device.sources import open_source

FORMAT = 2
# What of a preprocessing works on pixels; the rest is applied to every batch.
NOT_PIXELS = ("scale", "mean", "std")
# A file that ends before this share of the time it declares was cut off.
WHOLE = 0.9

log = logging.getLogger("rnnedge.data")


@dataclass(frozen=True, eq=False)
class CachedFrames:
    """Some of a cache file's frames, uint8 ``[T, h, w, c]``; the file is open only while it is read.

    Attributes:
        path, offset, shape: the file, where its pixels begin, and ``(N, h, w, c)``.
        index: which of the N frames these are, int64 ``[T]``, never falling.
        stride: one step of the model in frames, for what lies beyond the index.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    index: np.ndarray
    stride: int

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: Any) -> np.ndarray:
        return self._read(self.index[item])

    def near(self, positions: np.ndarray) -> np.ndarray:
        """The file's frames nearest to ``positions`` in steps, uint8 ``[n, h, w, c]``; see ``Footage``."""
        last = len(self.index) - 1
        inside = np.interp(positions, np.arange(last + 1), self.index)
        beyond = np.minimum(positions, 0) + np.maximum(positions - last, 0)
        return self._read(nearest(inside + beyond * self.stride, self.shape[0]))

    def part(self, span: slice) -> CachedFrames:
        """Those of a span."""
        return replace(self, index=self.index[span])

    def _read(self, index: Any) -> np.ndarray:
        return np.array(np.memmap(self.path, np.uint8, "r", self.offset, self.shape)[index])


@dataclass(frozen=True)
class CachedVideo:
    """A video's frames and their times, float64 ``[T]``."""

    frames: CachedFrames
    ts_ms: np.ndarray


def default_cache() -> Path:
    """``$RNNEDGE_CACHE``, else ``rnnedge/frames`` in the user's cache folder."""
    if given := os.environ.get("RNNEDGE_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnnedge" / "frames"


def cache_videos(
    videos: Mapping[str, Path],
    preprocess: Preprocess,
    options: ClipOptions,
    *,
    cache: Path | None = None,
    workers: int = 2,
    strict: bool = False,
) -> tuple[dict[str, CachedVideo], list[str]]:
    """Decode what is not in the cache yet.

    Args:
        videos: a name to each video file or folder of frames.
        preprocess, options: what the pixels and the picking depend on; frame folders play at ``options.fps``.
        cache: the cache folder, made if missing; None: :func:`default_cache`.
        workers: threads; OpenCV decodes outside Python's lock.
        strict: refuse a video that cannot be decoded whole.

    Returns:
        The videos by name, and the names of those that cannot be decoded.

    Raises:
        InputError: the cache folder cannot be written, or ``strict`` and a damaged video.
    """
    folder = cache or default_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cache={str(folder)!r}: cannot be made: {error.strerror}") from None
    if workers < 1:
        raise InputError(f"workers={workers!r}: must be 1 or more")

    def one(path: Path) -> CachedVideo | SourceError:
        try:
            return _cached(path, preprocess, options, folder)
        except SourceError as error:
            return error

    good: dict[str, CachedVideo] = {}
    skipped = []
    pool = ThreadPoolExecutor(workers)
    try:
        for name, found in zip(videos, pool.map(one, videos.values()), strict=True):
            if isinstance(found, CachedVideo):
                good[name] = found
                continue
            if strict:
                raise InputError(f"{videos[name]}: cannot be decoded: {found}")
            log.warning("skipped %s: cannot be decoded: %s", videos[name], found)
            skipped.append(name)
    finally:
        pool.shutdown(cancel_futures=True)
    return good, skipped


def frame_files(folder: Path) -> list[Path]:
    """The pictures that lie in a folder itself, in the order of the numbers in their names."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    return sorted(files, key=lambda p: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", p.name)])


def _cached(path: Path, preprocess: Preprocess, options: ClipOptions, folder: Path) -> CachedVideo:
    file = folder / f"{path.stem}-{_key(path, preprocess, options)}.npy"
    found = _read(file, preprocess.shape, options.stride)
    if found is None:
        _write(file, _picked(path, preprocess, options), preprocess.shape)
        found = _read(file, preprocess.shape, options.stride)
    if found is None:
        raise InputError(f"cache={str(folder)!r}: {file.name} was written and cannot be read")
    return found


def _key(path: Path, preprocess: Preprocess, options: ClipOptions) -> str:
    files = {file.name: file.stat() for file in (frame_files(path) if path.is_dir() else [path])}
    stats = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files.items()]
    pixels = {key: value for key, value in preprocess.to_dict().items() if key not in NOT_PIXELS}
    picking = (options.fps, options.stride, options.max_gap_ms)
    text = json.dumps([FORMAT, str(path.resolve()), stats, pixels, picking])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _picked(
    path: Path, preprocess: Preprocess, options: ClipOptions
) -> Iterator[tuple[np.ndarray, list[float]]]:
    """The pixels of each frame that is kept, and the times of the steps the model makes with it, as a stream would pick
    them: none for a frame between two steps."""
    steps = FramePicker(options.rate, options.max_gap_ms)
    between = FramePicker(options.fps, options.max_gap_ms)
    view = preprocess.view(options.stride)
    for frame in _folder_frames(path, options.fps) if path.is_dir() else _file_frames(path):
        if steps.gap(frame.ts_ms):
            steps.reset()
            between.reset()
            view.pause()
        times, kept = steps.steps(frame.ts_ms), options.stride > 1 and between.take(frame.ts_ms)
        if times or kept:
            yield view.pixels(frame.image, bool(times)), times


def _folder_frames(path: Path, fps: float) -> Iterator[Frame]:
    for index, file in enumerate(frame_files(path)):
        yield Frame(read_image(file), index, index * 1000 / fps)


def _file_frames(path: Path) -> Iterator[Frame]:
    last = 0.0
    with open_source(str(path.resolve())) as source:
        for frame in source:
            yield frame
            last = frame.ts_ms
    capture = cv2.VideoCapture(str(path))
    fps, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    declared = (frames - 1) * 1000 / fps if fps > 0 else 0.0
    if last < WHOLE * declared:
        raise SourceError(f"it ends after {last / 1000:.1f} of {declared / 1000:.1f} s")


def _write(path: Path, frames: Iterator[tuple[np.ndarray, list[float]]], shape: tuple[int, ...]) -> None:
    index: list[int] = []
    times: list[float] = []
    count = 0
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            begin = _header(file, 0, shape)
            for pixels, steps in frames:
                file.write(pixels.tobytes())
                index += [count] * len(steps)
                times += steps
                count += 1
            if not times:
                raise SourceError("it has no frames")
            np.save(file, np.array(index, np.int64))
            np.save(file, np.array(times, np.float64))
            # NumPy leaves room in a header for the first axis to grow.
            file.seek(0)
            if _header(file, count, shape) != begin:
                raise InputError(f"{path}: NumPy's header has changed its length")
    except OSError as error:
        raise InputError(f"cache={str(path.parent)!r}: cannot be written: {error.strerror}") from None


def _header(file: BinaryIO, count: int, shape: tuple[int, ...]) -> int:
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def _read(path: Path, shape: tuple[int, ...], stride: int) -> CachedVideo | None:
    """A cache file, or None where it is missing or damaged: index and times lie at the end, a cut-off file has none."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            found, _, dtype = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
            file.seek(offset + int(np.prod(found, dtype=np.int64)))
            index, ts_ms = (np.load(file, allow_pickle=False) for _ in range(2))
    except (OSError, ValueError, EOFError):
        return None
    if dtype != np.uint8 or found[1:] != shape or ts_ms.shape != index.shape or index.max() >= found[0]:
        return None
    return CachedVideo(CachedFrames(path, offset, found, index, stride), ts_ms)
