"""Where frames come from: a camera, a video, images, a pipe or a drawn pattern, chosen by a short text."""

import math
import re
from pathlib import Path

from rnnedge_device.errors import SourceError
from rnnedge_device.images import IMAGE_SUFFIXES, list_images
from rnnedge_device.source import Source
from rnnedge_device.sources.ahead import AheadSource
from rnnedge_device.sources.camera_spec import CameraSpec, is_url, public_name
from rnnedge_device.sources.image_files import ImageSource
from rnnedge_device.sources.opencv import quiet_opencv
from rnnedge_device.sources.opencv_capture import check_device
from rnnedge_device.sources.paced import PacedSource
from rnnedge_device.sources.process import ProcessSource
from rnnedge_device.sources.raw import RawSource
from rnnedge_device.sources.replay import ReplaySource
from rnnedge_device.sources.synthetic import SyntheticSource
from rnnedge_device.sources.video import VideoSource

ALLOWED = (
    "a camera (0, /dev/video0 or picamera, each with [:WIDTHxHEIGHT[@FPS]][,mjpg]), an rtsp:// or http:// URL, a "
    "video file, an image file, a folder of images (FOLDER@FPS where they are frames), "
    "raw:WIDTHxHEIGHT[@FPS][,gray] on standard input, replay:FILE, synthetic[:WIDTHxHEIGHT[@FPS][xFRAMES]], or "
    "live: before any of the files, to play it at its own rate"
)
_RATED = re.compile(r"(.+)@(\d{1,4}(?:\.\d+)?)")
_LIVE = "live:"


def open_source(spec: str, open_s: float = 20.0) -> Source:
    """Open a source by its text.

    Args:
        spec: `0`, `/dev/video0`, `picamera`, `0:1280x720@30,mjpg` (a camera) or `rtsp://…`, `http://…` (the
            latest frame wins; captured in a process of its own); a video file, an image file or a folder of images
            (every frame, in order, as fast as they are taken); `folder@12` (the same as the frames of a film of 12
            a second); `raw:640x480@25` (frames on standard input); `replay:FILE` (what `--record` wrote);
            `synthetic` (endless) or such as `synthetic:64x48@30x100` (width x height @ frames a second x number of
            frames); `live:` and one of the files (at its own rate, the latest frame wins).
        open_s: how long opening may take.

    Raises:
        SourceError: nothing of that name, or it cannot be read. The message says what is allowed.
        SourceHungError: opening takes too long.

    Example:
        with open_source("clip.mp4") as source:
            for frame in source:
                print(frame.ts_ms, frame.image.shape)
    """
    if is_live(spec):
        return open_camera(spec, open_s)
    if spec.startswith(_LIVE):
        return _open_paced(spec, open_s)
    return _open_waiting(spec, open_s)


def _open_waiting(spec: str, open_s: float, patience_s: float = 60.0) -> Source:
    """What gives its next frame when it is asked for it; `patience_s` is how long the iteration waits."""
    if spec.startswith("synthetic"):
        return SyntheticSource(spec)
    if spec.startswith("raw:"):
        # Whoever feeds the pipe may take his time; `read` has a deadline nevertheless.
        return AheadSource(spec, lambda: RawSource(spec), math.inf, open_s)
    if spec.startswith("replay:"):
        return AheadSource(spec, lambda: ReplaySource(spec.removeprefix("replay:")), patience_s, open_s)
    with quiet_opencv():
        return AheadSource(spec, lambda: _open_files(spec), patience_s, open_s)


def is_live(spec: str) -> bool:
    """Does the text name a camera, at hand or in the network?"""
    return is_url(spec) or CameraSpec.parse(spec) is not None


def open_camera(spec: str, open_s: float = 20.0) -> Source:
    """A camera by index, path, name or URL, captured in a process of its own.

    Args:
        open_s: how long opening may take.

    Raises:
        SourceError: there is no such camera, or it cannot be opened.
    """
    camera = None if is_url(spec) else CameraSpec.parse(spec)
    if camera is not None and not camera.picamera:
        check_device(camera)  # without a process: the answer comes at once
    return ProcessSource(spec, open_s=open_s)


def device_of(spec: str) -> str | None:
    """What only one camera can use at a time, by one name for every way to write it; None where there is no such
    thing.

    Example:
        device_of("0") == device_of("/dev/video0")
    """
    if spec.startswith(_LIVE):
        return device_of(spec.removeprefix(_LIVE))
    if spec.startswith("raw:"):
        return "standard input"
    camera = None if is_url(spec) else CameraSpec.parse(spec)
    if camera is None:
        return None
    # Names such as /dev/v4l/by-id/… are links to the device.
    return camera.path if camera.picamera else str(Path(camera.path).resolve())


def _open_paced(spec: str, open_s: float) -> Source:
    inner = spec.removeprefix(_LIVE)
    if is_live(inner) or inner.startswith(_LIVE):
        raise SourceError(
            f"source {public_name(spec)!r}: live: is for what does not come at a rate by itself"
        )
    # The deadline of each frame is the paced source's.
    source = _open_waiting(inner, open_s, math.inf)
    if not source.timed:
        source.close()
        raise SourceError(f"source {spec!r}: images without times have no rate of their own; as in FOLDER@12")
    return PacedSource(source, spec)


def _open_files(spec: str) -> Source:
    path = Path(spec)
    # Path("") is the current folder, which nobody meant.
    if spec and path.is_dir():
        return ImageSource(spec, list_images(path))
    rated = _RATED.fullmatch(spec)
    if rated and not path.exists() and Path(rated[1]).is_dir() and float(rated[2]) > 0:
        return ImageSource(spec, list_images(rated[1]), float(rated[2]))
    if not spec or not path.exists():
        raise SourceError(f"source {spec!r}: there is no such file or folder; allowed: {ALLOWED}")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSource(spec, [path])
    return VideoSource(spec)
