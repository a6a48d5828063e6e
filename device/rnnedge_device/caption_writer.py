"""Captions in the making: one at a time, here and now or in a thread of its own while frames go on."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.captioner import Caption, Captioner
from rnnedge_device.closing import Closing
from rnnedge_device.source import Frame

# How long the end of a source waits for the caption that is being written, and a run that is stopped for its thread.
_PATIENCE_S, _JOIN_S = 30.0, 2.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A caption and the frame it is about.

    Args:
        reason: why it was written: `start`, `scene_cut`, `interval` or `image`.
        frame: the frame's number in its source.
        ts_ms: the frame's time.
        total_us: from the frame to the caption, with preprocessing.
    """

    caption: Caption
    reason: str
    frame: int
    ts_ms: float
    total_us: float


class _StoppedError(Exception):
    """Nobody waits for the caption any more."""


class Writing:
    """One caption on its way. It may be watched from another thread.

    Args:
        pixels: the model frame of `frame`, uint8 `[h, w, c]`, where it is there already.
        stopped: asked before each step of the decoder; where it says yes, no caption comes of it.
    """

    def __init__(
        self,
        captioner: Captioner,
        frame: Frame,
        reason: str,
        stopped: Callable[[], bool],
        pixels: NDArray[np.uint8] | None = None,
    ) -> None:
        self._captioner, self._frame, self._reason, self._pixels = captioner, frame, reason, pixels
        self._words: list[str] = []
        self._finished: Finished | None = None
        self._problem: BaseException | None = None
        self._over = threading.Event()
        self.stopped = stopped

    @property
    def words(self) -> tuple[str, ...]:
        """What is written so far; of a beam nothing before all is."""
        return tuple(self._words)

    @property
    def over(self) -> bool:
        """Is it finished, stopped or failed?"""
        return self._over.is_set()

    def write(self) -> None:
        """Write it; whatever goes wrong is kept for `result`."""
        try:
            self._finished = self._write()
        except _StoppedError:
            pass
        except BaseException as problem:
            self._problem = problem
        finally:
            self._over.set()

    def _write(self) -> Finished:
        begin, model, frame = perf_counter_ns(), self._captioner, self._frame
        pixels = model.preprocess.pixels(frame.image) if self._pixels is None else self._pixels
        state = model.encode_pixels(pixels)
        encode_us = (perf_counter_ns() - begin) / 1000
        caption = model.caption_state(state, None, self._words.append, encode_us, self._go_on)[0]
        total_us = (perf_counter_ns() - begin) / 1000
        return Finished(caption, self._reason, frame.index, frame.ts_ms, total_us)

    def _go_on(self) -> None:
        if self.stopped():
            raise _StoppedError

    def result(self) -> Finished | None:
        """The caption; None if it was stopped or given up, or is not over yet.

        Raises:
            Exception: whatever the writing failed with, in whichever thread.
        """
        if self._problem is not None:
            raise self._problem
        return self._finished

    def give_up(self) -> None:
        """It will not be written."""
        self._over.set()

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Until it is over, or until the one who waits is `stopped`.

        Raises:
            TimeoutError: neither within 30 seconds.
        """
        deadline = time.monotonic() + _PATIENCE_S
        # In slices: a source's stop() is called in a signal handler, which cannot notify.
        while not self._over.wait(0.05) and not stopped():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the caption of frame {self._frame.index}: not done in {_PATIENCE_S:g} s")


class CaptionWriter(Closing):
    """One captioner for the streams of all sources, which take turns. A context manager: no thread outlives it
    but one that the runtime does not give back, and that one dies with the process.

    Args:
        captioner: in use by nobody else meanwhile.
    """

    def __init__(self, captioner: Captioner) -> None:
        self.captioner = captioner
        self._queue: list[object] = []
        self._current: Writing | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def writing(
        self, frame: Frame, reason: str, stopped: Callable[[], bool], pixels: NDArray[np.uint8] | None = None
    ) -> Writing:
        """A caption to be written, as `Writing` says; the writer's end stops it too."""
        return Writing(self.captioner, frame, reason, lambda: self._closed or stopped(), pixels)

    def turn_of(self, who: object) -> bool:
        """May `who` begin a caption now? Who asks first and keeps asking is the next."""
        if not any(other is who for other in self._queue):
            self._queue.append(who)
        return self._queue[0] is who and (self._current is None or self._current.over)

    def leave(self, who: object) -> None:
        """`who` wants no further caption."""
        self._queue = [other for other in self._queue if other is not who]

    def start(self, who: object, writing: Writing) -> None:
        """Write beside the caller, whose turn it is."""
        self.leave(who)
        self._current = writing
        # A daemon: a runtime that hangs must not keep the process alive.
        self._thread = threading.Thread(target=writing.write, name="captioner", daemon=True)
        self._thread.start()

    def write(self, writing: Writing) -> None:
        """Write before the caller goes on; first comes what is being written beside.

        Raises:
            TimeoutError: that other caption takes more than 30 seconds.
        """
        if self._current is not None:
            self._current.wait(writing.stopped)
            if not self._current.over:
                writing.give_up()
                return
        writing.write()

    def close(self) -> None:
        """Stop what is being written and wait for the thread, 2 seconds at most."""
        self._closed = True
        if self._thread is not None:
            self._thread.join(_JOIN_S)
