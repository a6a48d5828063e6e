"""Lines: a JSON object each, or a text for people."""

import codecs
import json
import os
import sys
from typing import TextIO

from rnnedge_device.events import Event
from rnnedge_device.files import atomic_path
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import DirectSink, OpenedSink


class JsonLines(OpenedSink):
    """One JSON object a line: into a file, or for `-` to stdout, each line at once.

    The file appears under its name when the sink is closed; on an error in its context the old file stays. A pipe
    or a device is written to as it is, each line at once.

    Raises:
        InputError: a path that cannot be written.
        OSError: (`put`, `close`) the line could not be written, as on a full disk.
    """

    def __init__(self, path: str) -> None:
        super().__init__("jsonl")
        # A pipe or a device has nothing to replace, and someone is reading.
        whole = path != "-" and (not os.path.exists(path) or os.path.isfile(path) or os.path.isdir(path))
        self._flush = not whole
        if whole:
            path = str(self._opened.enter_context(atomic_path(path)))
        self._stream: TextIO = sys.stdout
        if path != "-":
            self._stream = self._opened.enter_context(open(path, "w", encoding="utf-8"))  # noqa: SIM115
        # A terminal of another encoding gets JSON's own escapes.
        self._ascii = codecs.lookup(self._stream.encoding or "ascii").name != "utf-8"

    def put(self, message: Message) -> None:
        if message.line:
            text = json.dumps(message.line, ensure_ascii=self._ascii)
            print(text, file=self._stream, flush=self._flush)
            self.sent += 1


class TextLines(DirectSink):
    """For people: a line on stdout each time the label changes, for each caption, for each start and end of an event,
    and for what a runner says about a camera's health."""

    def __init__(self) -> None:
        self.name = "text"
        self._last: dict[str, str] = {}

    def put(self, message: Message) -> None:
        event = message.line
        what = self._what(message.camera, event)
        if not what:
            return
        # Where there is one source only, nobody needs its name.
        name = event.get("source") or event.get("camera", "")
        where = f"  {name}" if name else ""
        number = event.get("frame", message.frame.index if message.frame else "")
        print(f"{event['ts_ms'] / 1000:9.2f} s{where}  frame {number:<6} {what}", flush=True)
        self.sent += 1

    def _what(self, camera: str, event: Event) -> str:
        if not event:
            return ""
        if "health" in event:
            return f"{event['health']}: {event['detail']}"
        if "event" in event:
            return f"{event['event']} of {event['label']}, from {event['start_ms'] / 1000:.2f} s"
        said = f"{event['label']}  {event['score']:.0%}  {event['latency_ms']:.2f} ms"
        if "reason" in event:
            return f"{said}  {event['reason']}"
        if self._last.get(camera) == event["label"]:
            return ""
        self._last[camera] = event["label"]
        return said
