"""A film of every event, from some seconds before it to some seconds after."""

import logging
import threading
import time
from collections import deque
from typing import Any

from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event
from rnnedge_device.sinks.camera_clip import CameraClip
from rnnedge_device.sinks.clip_store import ClipStore
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.options import Above, Bytes, Name, Seconds, SinkOptions
from rnnedge_device.sinks.pre_roll import Still
from rnnedge_device.sinks.recording import Recording
from rnnedge_device.sinks.sink import Sink
from rnnedge_device.source import Frame

_WAITING = 32  # frames of all cameras that wait to be compressed at most
_GONE = ("lost", "hung", "gave_up")  # after these no picture belongs to the ones before
_log = logging.getLogger(__name__)


class ClipsOptions(SinkOptions):
    """The section `[clips]`.

    Args:
        folder: where the clips go.
        pre_s, post_s: how much before an event's start and after its end.
        max_s: a clip is cut there; the rest of a longer event is not kept.
        fps: frames a second that are kept.
        annotate: draw what the model said.
        max_bytes: of all clips together; the oldest are removed.
        keep_free: bytes to leave free on the disk.
        ring_bytes: memory for the seconds before an event, of each camera.
    """

    folder: Name
    pre_s: Seconds = 5.0
    post_s: Seconds = 5.0
    max_s: Above = 120.0
    fps: Above = 10.0
    annotate: bool = True
    max_bytes: Bytes = 2_000_000_000
    keep_free: Bytes = 200_000_000
    ring_bytes: Bytes = 16_000_000


class EventClips(Sink):
    """Films of events, `NUMBER_CAMERA_TIME_LABEL.mp4`, each with its lines in a `.json` beside it.

    Events of a camera that overlap, pre- and post-roll included, share a clip. A camera that is lost ends it.

    The promise: the start of every event is in the facts of one whole clip, or counted as lost where the clip could
    not be written; a clip stays until the room is needed for newer ones. Frames are best effort: those that come
    too fast to be compressed are left out, and counted as `dropped`.

    Raises:
        InputError: the folder cannot be written.

    Example:
        with EventClips(ClipsOptions(folder="clips", pre_s=3.0)) as sink:
            sink.put(message)
    """

    def __init__(self, options: ClipsOptions, name: str = "clips") -> None:
        self.name, self._options = name, options
        self.store = ClipStore(options.folder, options.max_bytes, options.keep_free)
        self.store.make_room()
        self._cameras: dict[str, CameraClip] = {}
        self._waiting: deque[tuple[str, Event | tuple[Frame, Prediction | None]]] = deque()
        self._seen: dict[
            str, tuple[Frame, float]
        ] = {}  # by camera: the last frame taken, and when the next is due
        self._frames = self._dropped = self._sent = self._lost = self._starts = 0
        self._failing: str | None = None
        self._deadline: float | None = None
        self._ended = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self._thread.start()

    def put(self, message: Message) -> None:
        with self._wake:
            if self._deadline is not None:
                return
            if message.frame is not None and self._due(message.camera, message.frame):
                if self._frames >= _WAITING:
                    self._drop()
                self._waiting.append((message.camera, (message.frame, message.prediction)))
                self._frames += 1
            if message.kind in ("event", "health"):
                self._waiting.append((message.camera, message.line))
                self._starts += message.line.get("event") == "start"
            self._wake.notify_all()

    def status(self) -> dict[str, Any]:
        with self._wake:
            return {
                "queued": self._starts - self._sent - self._lost,
                "sent": self._sent,
                "lost": self._lost,
                "failing": self._failing,
                "dropped": self._dropped,
                "waiting": len(self._waiting),
            }

    def close(self, deadline_s: float = 5.0) -> None:
        with self._wake:
            if self._deadline is not None:
                return
            self._deadline = time.monotonic() + deadline_s
            self._wake.notify_all()
        self._thread.join(deadline_s)
        with self._wake:
            self._ended = True
            self._lost = self._starts - self._sent

    def _due(self, camera: str, frame: Frame) -> bool:
        """Is it a new frame, and one to keep at the clips' rate?"""
        last, due = self._seen.get(camera, (None, float("-inf")))
        if last is frame:
            return False
        if last is not None and frame.ts_ms < last.ts_ms:
            due = float("-inf")  # the camera's clock began anew
        if frame.ts_ms < due - 0.5:
            return False
        self._seen[camera] = frame, max(due + 1000 / self._options.fps, frame.ts_ms)
        return True

    def _drop(self) -> None:
        for number, (_, what) in enumerate(self._waiting):
            if isinstance(what, tuple):
                del self._waiting[number]
                self._frames -= 1
                self._dropped += 1
                return

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._deadline is not None)
                late = self._deadline is not None and time.monotonic() >= self._deadline
                if not self._waiting or late:
                    break
                camera, what = self._waiting.popleft()
                self._frames -= isinstance(what, tuple)
            self._take(
                self._cameras.setdefault(
                    camera, CameraClip(camera, self._options.pre_s, self._options.ring_bytes)
                ),
                what,
            )
        for each in self._cameras.values():
            self._finish(each)

    def _take(self, camera: CameraClip, what: Event | tuple[Frame, Prediction | None]) -> None:
        try:
            if isinstance(what, tuple):
                still = Still.of(*what)
                if camera.over(still.ts_ms, 1000 * self._options.max_s):
                    self._finish(camera)
                camera.see(still)
                return
            if camera.hear(what, 1000 * self._options.post_s) and camera.recording is None:
                self.store.make_room()
                path = self.store.new(camera.name, str(what.get("label", "")))
                recording = Recording(path, camera.name, self._options.fps, self._options.annotate)
                camera.begin(recording, what, 1000 * self._options.pre_s)
            if what.get("health") in _GONE:
                self._finish(camera)
        except Exception as problem:
            # A disk that is full, a codec that fails: this clip is lost, not the sink.
            self._abandon(camera, problem)

    def _finish(self, camera: CameraClip) -> None:
        if camera.recording is None:
            return
        try:
            camera.recording.finish(camera.lines)
            self.store.make_room()
        except Exception as problem:
            self._abandon(camera, problem)
            return
        self._count(sent=camera.end(), trouble=None)

    def _abandon(self, camera: CameraClip, problem: Exception) -> None:
        if camera.recording is not None:
            camera.recording.abandon(problem)
        text = f"{type(problem).__name__}: {problem}"
        _log.warning("%s: a clip of %s is lost: %s", self.name, camera.name, text)
        self._count(lost=camera.end(), trouble=text)

    def _count(self, sent: int = 0, lost: int = 0, trouble: str | None = None) -> None:
        with self._wake:
            if not self._ended:
                self._sent += sent
                self._lost += lost
            self._failing = trouble
