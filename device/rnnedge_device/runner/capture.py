"""A camera's capture: opened again when it is lost, hangs, or shows no picture, until it gives up."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rnnedge_device.errors import SourceError, SourceHungError
from rnnedge_device.runner.camera_status import CameraStatus
from rnnedge_device.runner.mailbox import End, Interruption, Mailbox
from rnnedge_device.runner.picture_watch import PictureWatch
from rnnedge_device.runner.restarts import Restarts
from rnnedge_device.runner.supervision import Supervision
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.source import Frame, Source

_STEADY_S = 30.0  # after so long without a fault the next wait is a short one again
_PICTURE_RETRY_S, _PICTURE_RETRY_MOST_S = 30.0, 600.0  # a dark night is no fault: it costs no restarts


class _NoPictureError(SourceError):
    """Frames come, but there is nothing in them."""


class Capture:
    """The thread that keeps one camera's mailbox filled.

    It answers for what `CaptionStream` asks of a source: `live`, `timed`, `stopped`.

    Args:
        name: of the camera.
        supervision: when it counts as gone, and how often it is opened again.
        reopen: opens the source; called in the thread.
        mailbox: where frames go.
        status: of the camera.
        say: called as `say(kind, detail, ts_ms)` with each line about health.
        first: the source where it is open already, as that of a file.
        roi: the part of the picture to be seen, see `CameraOptions`.
        watch_picture: is a black or frozen picture a fault? Not a film's, which may well be dark or stand still.

    A file that ends ends the camera; whatever is live is opened again.
    """

    def __init__(
        self,
        name: str,
        supervision: Supervision,
        reopen: Callable[[], Source],
        mailbox: Mailbox,
        status: CameraStatus,
        say: Callable[[str, str, float], None],
        first: Source | None = None,
        *,
        roi: Sequence[float] | None = None,
        watch_picture: bool = False,
    ) -> None:
        self._supervision, self._reopen, self._roi = supervision, reopen, roi
        self.mailbox, self._status, self._say = mailbox, status, say
        self.live, self.timed = (first.live, first.timed) if first else (True, True)
        self.fps = first.fps if first else 0.0
        self.stopped = False
        self._watch_picture = watch_picture
        self._source = first
        self._stop = threading.Event()
        self._restarts = Restarts(supervision.restart_budget, supervision.restart_window_s)
        self._backoff = Backoff(supervision.backoff_s, supervision.backoff_most_s)
        self._watch = PictureWatch(supervision.black_s, supervision.frozen_s)
        self._picture_backoff = Backoff(_PICTURE_RETRY_S, _PICTURE_RETRY_MOST_S)
        self._picture_retry = 0.0
        self._begin = time.monotonic()
        self._ts_ms = 0.0
        self._offset = 0  # of frame numbers: those of the sources before this one
        self._dropped = self._skipped = 0  # likewise
        self._lost_at: float | None = None
        self.thread = threading.Thread(target=self._run, name=f"capture {name}", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Take no further frame. Returns at once; `thread` ends soon."""
        self.stopped = True
        self._stop.set()
        self.mailbox.close()
        if self._source is not None:
            self._source.stop()

    def end(self, wait_s: float) -> None:
        """After `stop`: wait for the thread, and tell the model that nothing follows, even if the thread hangs in a
        driver."""
        if self.thread.is_alive():
            self.thread.join(wait_s)
        elif self._source is not None:  # never started
            self._source.close()
        if self.thread.is_alive():
            self.mailbox.put(End())

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and self._once():
                pass
        except Exception as problem:  # a fault of ours must not leave a camera that only seems to run
            self._give_up(f"{type(problem).__name__}: {problem}")
            raise
        finally:
            if self._status.state not in ("failed",):
                self._status.state = "stopped"
            self.mailbox.put(End())

    def _once(self) -> bool:
        """The source from opening to its end. Is it to be opened again?"""
        try:
            source, self._source = self._source or self._reopen(), None
            with source:
                self._source = source
                try:
                    return self._follow(source)
                finally:
                    self._source = None
                    self._offset = self._next_number
                    self._dropped += source.dropped
                    self._skipped += source.skipped
        except _NoPictureError as problem:
            self._interrupt(self._watch.trouble, str(problem))
            return not self._stop.wait(self._backoff.next())
        except SourceError as problem:
            return self._failed(problem)

    _next_number = 0

    def _follow(self, source: Source) -> bool:
        self.fps = source.fps
        opened = time.monotonic()
        while not self._stop.is_set():
            frame = source.read(self._supervision.hang_s)
            if frame is None:
                return False
            if self._status.state != "running":
                self._is_back(source)
            if time.monotonic() - opened > _STEADY_S:
                self._backoff.reset()
            self.mailbox.put(self._made(source, frame))
            self._status.dropped = self._dropped + source.dropped + self.mailbox.dropped
            self._status.skipped = self._skipped + source.skipped
            if self._watch_picture:
                self._look(frame)
        return False

    def _made(self, source: Source, frame: Frame) -> Frame:
        """The frame with the camera's own time and number, which outlive a source, and the part to be seen."""
        number = self._offset + frame.index
        self._next_number = number + 1
        image = frame.image
        if self._roi:
            height, width = image.shape[:2]
            x0, y0, x1, y1 = self._roi
            left, top = int(x0 * width), int(y0 * height)
            right, bottom = max(left + 1, round(x1 * width)), max(top + 1, round(y1 * height))
            # A copy: the rest of a large picture is not kept for it.
            image = np.ascontiguousarray(image[top:bottom, left:right])
        self._ts_ms = frame.ts_ms
        if source.live:
            self._ts_ms = (frame.taken_s - self._begin) * 1000
        return replace(frame, image=image, index=number, ts_ms=self._ts_ms)

    def _look(self, frame: Frame) -> None:
        trouble, now = self._watch.look(frame.image, frame.taken_s), time.monotonic()
        if trouble and now >= self._picture_retry:
            self._picture_retry = now + self._picture_backoff.next()
            raise _NoPictureError(
                "the picture is black" if trouble == "black" else "the picture does not change"
            )
        if not trouble and self._status.health in ("black", "frozen"):
            self._picture_backoff.reset()
            self._picture_retry = 0.0
            self._recovered()

    def _is_back(self, source: Source) -> None:
        self._status.state = "running"
        # A picture that was black has to be seen before it counts as recovered.
        if self._status.health in ("lost", "hung"):
            self._recovered()

    def _recovered(self) -> None:
        away = f" after {time.monotonic() - self._lost_at:.1f} s" if self._lost_at is not None else ""
        self._status.health, self._lost_at = None, None
        self._say("recovered", f"frames come again{away}", self.now_ms())

    def _failed(self, problem: SourceError) -> bool:
        if not self.live:
            self._give_up(str(problem))
            return False
        self._interrupt("hung" if isinstance(problem, SourceHungError) else "lost", str(problem))
        if not self._restarts.allowed(time.monotonic()):
            budget, window_s = self._supervision.restart_budget, self._supervision.restart_window_s
            self._give_up(f"{budget} restarts within {window_s:g} s did not help: {problem}")
            return False
        self._status.restarts = self._restarts.count
        return not self._stop.wait(self._backoff.next())

    def _interrupt(self, kind: str, detail: str) -> None:
        """Say it once: a camera that stays away is not news with every attempt."""
        if self._status.state == "running":
            self.mailbox.put(Interruption(kind))
        if self._lost_at is None:
            self._lost_at = time.monotonic()
        if self._status.health != kind and not self._stop.is_set():
            self._say(kind, detail, self.now_ms())
        self._status.state, self._status.health = "recovering", kind

    def _give_up(self, detail: str) -> None:
        self._status.state, self._status.health = "failed", "gave_up"
        self._say("gave_up", detail, self.now_ms())

    def now_ms(self) -> float:
        """The camera's time: of a live one it goes on without frames."""
        return (time.monotonic() - self._begin) * 1000 if self.live else self._ts_ms
