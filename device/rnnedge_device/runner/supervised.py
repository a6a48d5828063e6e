"""A camera without a config, watched and opened again as one of a config is."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from rnnedge_device.errors import SourceHungError, SourceLostError
from rnnedge_device.redaction import redact
from rnnedge_device.runner.camera_status import CameraStatus
from rnnedge_device.runner.capture import Capture
from rnnedge_device.runner.mailbox import Bell, End, Interruption, Mailbox
from rnnedge_device.runner.supervision import Supervision
from rnnedge_device.source import Frame, Source
from rnnedge_device.sources import is_live, open_source

_SLICE_S = 0.1  # stop() is called in a signal handler, which cannot notify
_JOIN_S = 2.0


def open_supervised(
    spec: str, say: Callable[[str], object], supervision: Supervision | None = None
) -> Source:
    """A source by its text; if it is a camera, one that is opened again when it is lost or hangs.

    Args:
        spec: as `open_source` takes it.
        say: called with a line about the camera's health, in another thread.
        supervision: None for a config's defaults.

    Raises:
        SourceError: as `open_source`: a camera that is not there at first is not waited for.
    """
    supervision = supervision or Supervision()
    source = open_source(spec, supervision.open_s)
    return SupervisedSource(source, spec, say, supervision) if is_live(spec) else source


class SupervisedSource(Source):
    """The newest frame each time, of a camera that may be lost and come back. The first frame after that has the
    reason as its `reset`.

    Args:
        first: the opened camera; `spec` opens it again.
        say, supervision: see `open_supervised`.

    Raises:
        SourceLostError: (iterating) the restart budget is used up.
    """

    live = True

    def __init__(
        self, first: Source, spec: str, say: Callable[[str], object], supervision: Supervision
    ) -> None:
        super().__init__(first.name, first.fps)
        self._say = say
        self._status = CameraStatus(self.name)
        self._bell = Bell()
        self._mailbox = Mailbox(self._bell, live=True)
        self._reset = self._why = ""
        self._capture = Capture(
            self.name,
            supervision,
            partial(open_source, spec, supervision.open_s),
            self._mailbox,
            self._status,
            self._health,
            first,
            watch_picture=True,
        )
        self._capture.start()

    def _health(self, kind: str, detail: str, ts_ms: float) -> None:
        self._why = redact(detail)
        self._say(f"{self.name}: {kind}: {self._why}")

    def ready(self) -> bool:
        return self.stopped or self._mailbox.waiting

    def read(self, timeout_s: float) -> Frame | None:
        deadline = time.monotonic() + timeout_s
        while not self.stopped:
            item = self._mailbox.take()
            self.dropped, self.skipped = self._status.dropped, self._status.skipped
            if isinstance(item, Frame):
                reset, self._reset = self._reset, ""
                return replace(item, reset=reset) if reset else item
            if isinstance(item, End):
                if self._status.state == "failed":
                    raise SourceLostError(f"source {self.name!r}: gave up: {self._why}")
                return None
            if isinstance(item, Interruption):
                self._reset = item.reason
            elif time.monotonic() > deadline:
                raise SourceHungError(f"source {self.name!r}: no frame for {timeout_s:g} s")
            else:
                self._bell.wait(min(timeout_s, _SLICE_S))
        return None

    def frames(self) -> Iterator[Frame]:
        # It is the camera's supervision that decides how long to wait.
        while (frame := self.read(float("inf"))) is not None:
            yield frame

    def close(self) -> None:
        super().close()
        self._capture.stop()
        self._capture.end(_JOIN_S)
        self.dropped, self.skipped = self._status.dropped, self._status.skipped
