"""One clip being written, from its first picture to the file that takes its name."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.events import Event
from rnnedge_device.files import atomic_path
from rnnedge_device.overlay import Overlay
from rnnedge_device.sinks.pictures import Film
from rnnedge_device.sinks.pre_roll import Still


class Recording:
    """A film of even rate from stills that come as they come: each tick shows the still next to it in time.

    Args:
        path: of the film; the facts go beside it, as `.json`.
        camera: its name.
        fps: of the film.
        annotate: draw what was said; stills of which nothing was said yet are left out then.
        start_ms: the first still's time; None while there is none.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, path: Path, camera: str, fps: float, annotate: bool) -> None:
        self.path, self.camera = path, camera
        self.start_ms: float | None = None
        self.last_ms = 0.0
        self._fps, self._overlay = fps, Overlay() if annotate else None
        self._size: tuple[int, int] | None = None
        self._held: Still | None = None
        self._ticks = 0
        self._whole = contextlib.ExitStack()
        self._film = Film(self._whole.enter_context(atomic_path(path)), "mp4v", fps)

    def add(self, still: Still) -> None:
        """The next still, later than the last.

        Raises:
            OSError: the film cannot be written.
        """
        if self._overlay and still.prediction is None:
            return
        if self.start_ms is None:
            self.start_ms = still.ts_ms
        self._hold(still.ts_ms - 500 / self._fps)
        self._held, self.last_ms = still, still.ts_ms

    def finish(self, lines: Sequence[Event]) -> None:
        """The film and its facts take their names.

        Args:
            lines: what was told meanwhile.

        Raises:
            OSError: they could not be written, as on a full disk; nothing is left of them.
            InputError: there was no picture at all.
        """
        try:
            self._hold(self.last_ms + 500 / self._fps)
            self._film.release()
            self._film.check()
            facts = {
                "camera": self.camera,
                "start_ms": self.start_ms,
                "end_ms": self.last_ms,
                "fps": self._fps,
                "lines": list(lines),
            }
            with atomic_path(self.path.with_suffix(".json")) as temporary:
                temporary.write_text(
                    json.dumps(facts, indent=1, default=str), encoding="utf-8", errors="replace"
                )
            self._whole.close()
        except BaseException as problem:
            self.abandon(problem)
            raise

    def abandon(self, problem: BaseException) -> None:
        """Leave nothing behind."""
        self._film.release()
        with contextlib.suppress(type(problem)):
            self._whole.__exit__(type(problem), problem, problem.__traceback__)
        if not self.path.exists():
            self.path.with_suffix(".json").unlink(missing_ok=True)

    def _hold(self, until_ms: float) -> None:
        """Write the still that is held for every tick of the film before `until_ms`."""
        if self._held is None or self.start_ms is None:
            return
        picture = None
        while self.start_ms + 1000 * self._ticks / self._fps < until_ms:
            picture = self._drawn(self._held) if picture is None else picture
            self._film.add(picture)
            self._ticks += 1

    def _drawn(self, still: Still) -> NDArray[np.uint8]:
        picture: Any = still.image()
        if self._overlay and still.prediction is not None:
            return self._overlay(picture, still.prediction, still.ts_ms / 1000)
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        if self._size is None:
            # Even sides: most video codecs take no others.
            self._size = max(2, picture.shape[1] // 2 * 2), max(2, picture.shape[0] // 2 * 2)
        if picture.shape[1::-1] != self._size:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(picture, np.uint8)
