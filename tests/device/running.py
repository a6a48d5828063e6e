"""A runner in a thread of this process, and what it has said."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnedge_device.runner.runner import Runner
from rnnedge_device.sinks import CallSink, Message


class Running:
    """A context manager: the runner runs; it is stopped at the end.

    Args:
        path: where the config is written.
        text: of the config.
        on_message: called with each message, in the thread that says it.
    """

    def __init__(
        self, path: Path, text: str, on_message: Callable[[Message], Any] = lambda message: None
    ) -> None:
        path.write_text(text)
        self.messages: list[Message] = []
        self._on_message = on_message
        self.runner = Runner(path, extra={"seen": CallSink(self._take)})
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _take(self, message: Message) -> None:
        self.messages.append(message)
        self._on_message(message)

    def _run(self) -> None:
        self.code = self.runner.run()

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.runner.stop()
        self.join()

    def join(self, timeout_s: float = 120) -> int:
        """Wait until it has ended by itself; its exit code."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive()
        assert self.code is not None
        return self.code

    def wait_for(self, what: Callable[[], Any], timeout_s: float = 60) -> Any:
        """Wait until `what` gives something true, and return that."""
        deadline = time.monotonic() + timeout_s
        while not (found := what()):
            assert time.monotonic() < deadline, (
                f"{what}: {[m.line for m in self.messages if m.promised][-20:]}"
            )
            time.sleep(0.02)
        return found

    def lines(self, camera: str = "", kind: str = "") -> list[dict[str, Any]]:
        """What was said about a camera, of a kind of message."""
        return [
            m.line
            for m in list(self.messages)
            if m.line and camera in ("", m.camera) and kind in ("", m.kind)
        ]

    def health(self, camera: str = "") -> list[str]:
        """The kinds of health lines, in order."""
        return [line["health"] for line in self.lines(camera, "health")]

    def frames(self, camera: str) -> int:
        return int(self.runner.status.snapshot()["cameras"][camera]["frames"])


def assert_events_are_whole(lines: list[dict[str, Any]]) -> None:
    """Of one camera's lines, in their order, to its end: no event is lost or doubled, and no promised line is.

    Each start has its end before the next start of that label, and ids are numbered without a gap.
    """
    open_since: dict[str, float] = {}
    for line in lines:
        if line.get("event") == "start":
            assert line["label"] not in open_since
            open_since[line["label"]] = line["start_ms"]
        elif "event" in line:
            assert open_since.pop(line["label"]) == line["start_ms"]
    assert open_since == {}
    numbers = [int(line["id"].rpartition("-")[2]) for line in lines if "id" in line]
    assert numbers == list(range(1, len(numbers) + 1))


def camera(name: str, source: object, bundle: object, **options: object) -> str:
    """A section of a config."""
    rest = "".join(f"{key} = {value}\n" for key, value in options.items())
    return f'[[camera]]\nname = "{name}"\nsource = "{source}"\nbundle = "{bundle}"\n{rest}\n'
