"""Lines: a JSON object each, or a text for people. Contexts that yield a sink.

A file appears under its name when the context ends well; on an error the old file stays.
"""

import codecs
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event
from rnnedge_device.files import atomic_path
from rnnedge_device.sinks.sink import FrameSink as Sink
from rnnedge_device.source import Frame


@contextlib.contextmanager
def json_lines(path: str) -> Iterator[Sink]:
    """One JSON object a line: into a file, or for `-` to stdout, each line at once."""
    if path == "-":
        yield _line_writer(sys.stdout, flush=True)
    elif os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        # A pipe or a device: nothing to replace, someone is reading.
        with open(path, "w", encoding="utf-8") as stream:
            yield _line_writer(stream, flush=True)
    else:
        with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
            yield _line_writer(stream, flush=False)


def _line_writer(stream: TextIO, flush: bool) -> Sink:
    # A terminal of another encoding gets JSON's own escapes.
    ascii_only = codecs.lookup(stream.encoding or "ascii").name != "utf-8"

    def write(frame: Frame, prediction: Prediction, event: Event) -> None:
        if event:
            print(json.dumps(event, ensure_ascii=ascii_only), file=stream, flush=flush)

    return write


@contextlib.contextmanager
def text_lines() -> Iterator[Sink]:
    """For people: a line on stdout each time the label changes, for each caption, and for each start and end of an
    event."""
    last: dict[str, str] = {}

    def write(frame: Frame, prediction: Prediction, event: Event) -> None:
        source = event.get("source", "")
        if "event" in event:
            what = f"{event['event']} of {event['label']}, from {event['start_ms'] / 1000:.2f} s"
        elif "reason" in event:
            what = f"{event['label']}  {event['score']:.0%}  {event['latency_ms']:.2f} ms  {event['reason']}"
        elif event and last.get(source) != prediction.label:
            last[source] = prediction.label
            what = f"{prediction.label}  {prediction.score:.0%}  {event['latency_ms']:.2f} ms"
        else:
            return
        where = f"  {source}" if source else ""
        print(
            f"{event['ts_ms'] / 1000:9.2f} s{where}  frame {event.get('frame', frame.index):<6d} {what}",
            flush=True,
        )

    yield write
