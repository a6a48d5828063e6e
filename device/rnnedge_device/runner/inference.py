"""The thread that computes for one interpreter: its cameras in turn, each frame the newest there is."""

import threading
from collections.abc import Callable

from rnnedge_device.answers import Fed, Flow, Model, open_stream
from rnnedge_device.caption_writer import CaptionWriter
from rnnedge_device.captioner import Captioner
from rnnedge_device.runner.mailbox import Bell
from rnnedge_device.runner.seat import Seat
from rnnedge_device.runner.throttle import Throttle

_TICK_S = 0.25  # how long to wait for a frame before looking at the load again
_WRITERS = 4  # kept, the oldest first to go: those of the bundles that run and that may be gone back to


class Inference:
    """One thread, one interpreter (more while bundles are swapped), any number of cameras.

    Args:
        name: of the thread.
        degrade: step rates down when the machine does not keep up.
        on_end: called in the thread when a camera is over.
    """

    def __init__(self, name: str, degrade: bool, on_end: Callable[[Seat], None]) -> None:
        self.bell = Bell()
        self._seats: list[Seat] = []
        self._throttle = Throttle() if degrade else None
        self._on_end = on_end
        self._writers: list[CaptionWriter] = []
        self._lock = threading.Lock()
        self._closing = False
        self.thread = threading.Thread(target=self._run, name=f"inference {name}", daemon=True)

    def add(self, seat: Seat) -> None:
        """One more camera. Safe from any thread."""
        with self._lock:
            self._seats.append(seat)
        self.bell.ring()

    def open_stream(self, flow: Flow, name: str, model: Model) -> Fed:
        """A camera's stream through a model that this thread may use."""
        writer = None
        if isinstance(model, Captioner):
            # One for each captioner, also after a way back: two would use its interpreter at once.
            writer = next((one for one in self._writers if one.captioner is model), None)
            if writer is None:
                writer = CaptionWriter(model)
                self._writers = [*self._writers[1 - _WRITERS :], writer]
        return open_stream(flow, name, model, writer)

    def start(self) -> None:
        self.thread.start()

    def close(self) -> None:
        """End once every camera is over."""
        self._closing = True
        self.bell.ring()

    def _run(self) -> None:
        while True:
            with self._lock:
                seats = list(self._seats)
            if not seats and self._closing:
                break
            if not self._round(seats):
                self.bell.wait(_TICK_S)
            self._balance(seats)
        for writer in self._writers:
            writer.close()

    def _round(self, seats: list[Seat]) -> bool:
        """What each camera has now; False if none had anything."""
        any_item = False
        for seat in seats:
            item = seat.capture.mailbox.take()
            if item is None:
                continue
            any_item = True
            spent_s = seat.handle(item)
            if self._throttle is not None and seat.capture.live:
                self._throttle.add(seat.name, spent_s)
            if seat.over:
                with self._lock:
                    self._seats.remove(seat)
                if self._throttle is not None:
                    self._throttle.forget(seat.name)
                self._on_end(seat)
        return any_item

    def _balance(self, seats: list[Seat]) -> None:
        if self._throttle is None:
            return
        for name, level in self._throttle.changes().items():
            for seat in seats:
                if seat.name == name:
                    seat.slow_down(level)
