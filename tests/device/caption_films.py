"""What caption streams are fed with: films of several scenes, a camera that waits for the test, engines with a hook."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tiny_captions import VOCABULARY, Engine
from tiny_captions import images as model_frames
from watching import watch

from rnnedge_device.bundle import Bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.interpreter import load_forms
from rnnedge_device.scene import SceneCut
from rnnedge_device.sources import open_source
from rnnedge_device.sources.live import LiveSource
from rnnedge_device.stream import stream

FPS, LENGTH = 10.0, 20  # frames a second, and of a scene
CUT = SceneCut(0.15)


def scenes(count: int, first: int = 0) -> list[np.ndarray]:
    """Pictures uint8 [80, 96, 3], none like another."""
    frames = model_frames(first + count)[first:]
    return [
        cv2.resize(frame, (96, 80), interpolation=cv2.INTER_NEAREST)[..., None].repeat(3, 2)
        for frame in frames
    ]


def write_film(path: Path, pictures: list[np.ndarray], length: int = LENGTH) -> Path:
    """Each picture for `length` frames, lighter from frame to frame, as a real video."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (96, 80))
    for picture in pictures:
        for number in range(length):
            writer.write(cv2.convertScaleAbs(picture, alpha=0.8, beta=2 * number))
    writer.release()
    return path


def changed(bundle: Bundle, **spec: Any) -> Bundle:
    """The bundle with another caption spec."""
    return replace(
        bundle, manifest=replace(bundle.manifest, caption=replace(bundle.manifest.caption, **spec))
    )


def hooked(bundle: Bundle, on_decode: Callable[[], None], **spec: Any) -> Captioner:
    """The real int8 model, with a call before each step of its decoder."""
    bundle = changed(bundle, **spec)
    forms = bundle.manifest.form("encode"), bundle.manifest.form("decode")
    encode, decode = load_forms(bundle.members["model.tflite"], forms)

    def run(feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        on_decode()
        return decode.run(feeds)

    engines = Engine(forms[0], encode.run), Engine(forms[1], run)
    return Captioner.of(*engines, bundle.manifest, VOCABULARY)


def run(model: Captioner, *given: Any, **options: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every line of a stream over the sources, open ones or their texts, and its summary."""
    lines: list[dict[str, Any]] = []
    extra = options.pop("sinks", [])
    opened = [source if isinstance(source, LiveSource) else open_source(str(source)) for source in given]
    try:
        summary = stream(
            opened,
            model,
            [watch(lambda frame, found, event: event and lines.append(event)), *extra],
            **options,
        )
    finally:
        for source in opened:
            source.close()
    return lines, summary


def untimed(lines: list[dict[str, Any]], *also: str) -> list[dict[str, Any]]:
    """The lines without what no two runs share."""
    return [{key: value for key, value in line.items() if key not in ("latency_ms", *also)} for line in lines]


class Camera:
    """A capture that gives a picture for each time it is allowed to: the last one again and again, or until `ends`."""

    def __init__(self, pictures: list[np.ndarray], ends: bool = False) -> None:
        self._pictures, self._ends, self._given = pictures, ends, 0
        self.gate = threading.Semaphore(1)

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.gate.acquire()
        number, self._given = self._given, self._given + 1
        if self._ends and number >= len(self._pictures):
            return False, None
        return True, self._pictures[min(number, len(self._pictures) - 1)]

    def get(self, which: int) -> float:
        return 30.0

    def release(self) -> None:
        pass


class Live:
    """A live source of those pictures, each frame let through when the one before it has been shown.

    `on_frame(frame, prediction, event)` may stop it; after 5,000 frames the test has failed.
    """

    def __init__(
        self, pictures: list[np.ndarray], on_frame: Any = None, ends: bool = False, name: str = "camera"
    ) -> None:
        self.camera, self._on_frame = Camera(pictures, ends), on_frame
        self.source = LiveSource(self.camera, name, patience_s=20)
        self.seen: list[Any] = []  # (frame, prediction), each frame once
        self.lines: list[dict[str, Any]] = []

    def sink(self, frame: Any, prediction: Any, event: dict[str, Any]) -> None:
        if prediction.source != self.source.name:
            return
        if event:
            self.lines.append(event)
        if not self.seen or self.seen[-1][0] is not frame:
            self.seen.append((frame, prediction))
            assert len(self.seen) < 5000
            self.camera.gate.release()
        if self._on_frame:
            self._on_frame(frame, prediction, event)

    def run(self, model: Captioner, **options: Any) -> dict[str, Any]:
        try:
            return stream(self.source, model, [watch(self.sink)], **options)
        finally:
            self.close()

    def close(self) -> None:
        self.source.stop()
        self.camera.gate.release()
        self.source.close()


def writers() -> list[threading.Thread]:
    """Threads that write captions and are still there."""
    return [thread for thread in threading.enumerate() if thread.name == "captioner"]
