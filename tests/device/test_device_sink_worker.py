"""Sinks with a thread of their own: backlogs, steps, whatever hangs or is refused."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from sink_parts import (
    Broker,
    HookServer,
    event,
    fill,
    ids,
    needs_mosquitto,
    running,
    small_disk,
    step,
    wait_until,
)

from rnnedge_device.errors import InputError
from rnnedge_device.sinks.backlog import MemoryBacklog
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.sinks.encode import to_json
from rnnedge_device.sinks.event_clips import ClipsOptions, EventClips
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.mqtt import MqttOptions, MqttSink
from rnnedge_device.sinks.rotating import JsonlOptions, RotatingLines
from rnnedge_device.sinks.spool import Spool
from rnnedge_device.sinks.webhook import Webhook, WebhookOptions
from rnnedge_device.sinks.worker import PROMISED, RefusedError, WorkerSink
from rnnedge_device.source import Frame


class Gate(WorkerSink):
    """Delivers to a list once the gate is open; `trouble` is raised first, one after the other."""

    def __init__(self, backlog=None, trouble=(), opened=True):
        backlog = MemoryBacklog(1000) if backlog is None else backlog
        super().__init__("gate", backlog, (*PROMISED, "step"), Backoff(0.01, 0.02))
        self.delivered: list[Message] = []
        self.gate, self.entered, self._trouble = threading.Event(), threading.Event(), list(trouble)
        if opened:
            self.gate.set()
        self.start()

    def deliver(self, messages: Sequence[Message]) -> int:
        self.entered.set()
        self.gate.wait(60)
        if self._trouble:
            raise self._trouble.pop(0)
        self.delivered += messages
        return len(messages)

    def ids(self):
        return [message.line["id"] for message in self.delivered if message.promised]


def test_the_kind_of_a_message_says_whether_it_is_promised():
    kinds = {
        "picture": Message("door", {}),
        "step": step(0),
        "event": event(0),
        "caption": Message("door", {"ts_ms": 0, "label": "a dog", "reason": "interval"}),
        "health": Message("door", {"ts_ms": 0, "health": "lost", "detail": "no frame for 5 s"}),
    }
    assert {name: message.kind for name, message in kinds.items()} == {name: name for name in kinds}
    assert {name for name, message in kinds.items() if message.promised} == {"event", "caption", "health"}


def test_promised_lines_come_in_order_and_without_their_pictures():
    with Gate() as sink:
        frame = Frame(np.zeros((8, 8), np.uint8), 0, 0.0)
        for number in range(500):
            sink.put(Message("door", event(number).line, frame))
    assert sink.ids() == ids(500)
    assert all(message.frame is None for message in sink.delivered)
    assert sink.status() == {"queued": 0, "sent": 500, "lost": 0, "failing": None}


def test_a_delivery_that_hangs_holds_nobody_up_and_of_steps_the_latest_wins():
    sink = Gate(opened=False)
    sink.put(event(0))
    assert sink.entered.wait(60)
    for number in range(1, 2000):
        sink.put(step(number, "door"))
        sink.put(step(number, "yard"))
    sink.put(event(1))
    assert sink.delivered == []  # all of that was put while the first line hung
    assert sink.status()["queued"] == 2
    sink.gate.set()
    sink.close()
    assert sink.ids() == ids(2)
    steps = [message for message in sink.delivered if message.kind == "step"]
    assert [(message.camera, message.line["ts_ms"]) for message in steps] == [
        ("door", 40.0 * 1999),
        ("yard", 40.0 * 1999),
    ]


def test_a_full_queue_gives_up_the_oldest_and_counts_them():
    sink = Gate(MemoryBacklog(10), opened=False)
    sink.put(event(0))
    assert sink.entered.wait(60)
    for number in range(1, 25):
        sink.put(event(number))
    assert sink.status() == {"queued": 10, "sent": 0, "lost": 15, "failing": None}
    sink.gate.set()
    sink.close()
    # The one on its way is not given up.
    assert sink.ids() == [ids(25)[0], *ids(25)[16:]]
    assert sink.status()["sent"] + sink.status()["lost"] == 25


def test_trouble_of_any_kind_is_tried_again_and_a_refusal_is_not():
    trouble = [OSError("down"), ZeroDivisionError("a bug"), RefusedError("not this one")]
    with Gate(trouble=trouble) as sink:
        for number in range(3):
            sink.put(event(number))
    assert sink.ids() == ids(3)[1:]
    assert sink.status() == {"queued": 0, "sent": 2, "lost": 1, "failing": None}


def test_closing_ends_at_its_deadline_and_what_is_left_is_counted():
    sink = Gate(opened=False)
    for number in range(5):
        sink.put(event(number))
    assert sink.entered.wait(60)
    sink.close(0.1)
    assert sink.status() == {"queued": 0, "sent": 0, "lost": 5, "failing": None}
    sink.put(event(5))
    assert sink.status()["lost"] == 6
    sink.gate.set()
    sink.close()


def test_what_json_lacks_costs_no_line():
    line = {
        "score": np.float32(0.5),
        "count": np.int64(3),
        "path": os.fsdecode(b"caf\xe9"),
        "what": set,
    }
    assert json.loads(to_json(line)) == {**line, "score": 0.5, "count": 3, "what": "<class 'set'>"}
    assert to_json({"label": "ein Hund läuft"}) == '{"label": "ein Hund läuft"}'.encode()


# --- spool ---------------------------------------------------------------------------------------------


def test_a_spool_outlives_its_process(tmp_path):
    path = str(tmp_path / "spool")
    first = Gate(Spool(path, 100), opened=False)
    for number in range(5):
        first.put(event(number))
    wait_until(lambda: first.backlog.pending == 0, "all lines are on disk")
    first.close(0.1)
    first.gate.set()
    assert first.status()["lost"] == 0
    with Gate(Spool(path, 100)) as second:
        second.put(event(5))
    assert second.ids() == ids(6)
    spool = Spool(path, 100)
    assert len(spool) == 0
    spool.close(1)


def test_a_spool_is_bounded_and_its_oldest_go_first(tmp_path):
    spool = Spool(str(tmp_path / "spool"), 10)
    for number in range(25):
        spool.add(event(number))
        wait_until(lambda: spool.pending == 0, "the line is on disk")
    assert (len(spool), spool.lost) == (10, 15)
    assert [message.line["id"] for message in spool.first(100)] == ids(25)[15:]
    spool.close(1)


def test_a_killed_process_leaves_what_it_put(tmp_path):
    path = str(tmp_path / "spool")
    code = f"""
import sys, time
sys.path.insert(0, {os.path.dirname(__file__)!r})
from sink_parts import event, wait_until
from rnnedge_device.sinks.spool import Spool
spool = Spool({path!r}, 1000)
for number in range(200):
    spool.add(event(number))
wait_until(lambda: spool.pending == 0, "all lines are on disk")
spool.first(1)
print("ready", flush=True)
time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    spool = Spool(path, 1000)
    assert [message.line["id"] for message in spool.first(1000)] == ids(200)
    spool.close(1)


def test_a_line_that_a_failing_disk_spoils_holds_no_other_up(tmp_path):
    path = tmp_path / "spool"
    spool = Spool(str(path), 100)
    for number in range(3):
        spool.add(event(number))
    wait_until(lambda: spool.pending == 0, "all lines are on disk")
    spool.close(1)
    file = sqlite3.connect(path)
    file.execute("UPDATE lines SET line = substr(line, 1, 20) WHERE n = 1")
    file.commit()
    file.close()
    with Gate(Spool(str(path), 100)) as sink:
        wait_until(lambda: sink.status()["sent"] == 2, "the others are delivered")
    assert sink.ids() == ids(3)[1:]
    assert (sink.status()["lost"], sink.status()["queued"]) == (1, 0)


def test_one_spool_has_one_owner(tmp_path):
    path = str(tmp_path / "spool")
    spool = Spool(path, 10)
    with pytest.raises(InputError, match="locked") as caught:
        Spool(path, 10)
    assert path in str(caught.value)
    spool.close(1)
    with pytest.raises(InputError, match="cannot be opened"):
        Spool(str(tmp_path / "no" / "spool"), 10)


@pytest.mark.parametrize(
    "damage", [b"this is no database, but it is long enough to be read as one" * 40, b"torn"]
)
def test_a_broken_spool_is_put_aside(tmp_path, damage):
    path = tmp_path / "spool"
    path.write_bytes(damage)
    with Gate(Spool(str(path), 10)) as sink:
        sink.put(event(0))
    assert sink.ids() == ids(1)
    assert [found.read_bytes() for found in tmp_path.glob("spool.broken-*")] == [damage]


def test_a_full_disk_under_a_spool_loses_nothing(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        sink = Gate(Spool(str(disk / "spool"), 1000), opened=False)
        sink.put(event(0))
        wait_until(lambda: sink.backlog.pending == 0, "the first line is on disk")
        filler = fill(disk)
        for number in range(1, 100):
            sink.put(event(number, text="x" * 400))
        wait_until(lambda: "full" in str(sink.status()["failing"]), "the full disk is reported")
        assert sink.status()["queued"] == 100
        sink.gate.set()
        wait_until(lambda: sink.status()["sent"] >= 50, "lines are delivered past the disk")
        filler.unlink()
        wait_until(lambda: sink.status()["sent"] == 100, "all lines are delivered")
        sink.put(event(100))
        wait_until(
            lambda: sink.status() == {"queued": 0, "sent": 101, "lost": 0, "failing": None}, "it recovers"
        )
        sink.close()
        assert sink.ids() == ids(101)


# --- what a sink holds, it gives back ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jsonl", "webhook", "clips", pytest.param("mqtt", marks=needs_mosquitto)])
def test_a_closed_sink_leaves_no_thread_and_no_descriptor(tmp_path, kind):
    """A reload opens and closes them again and again."""
    with contextlib.ExitStack() as stack:
        if kind == "mqtt":
            port = stack.enter_context(running(Broker(tmp_path))).port
        server = HookServer()
        server.start()
        stack.callback(server.stop)

        def make():
            spool = str(tmp_path / "spool")
            if kind == "jsonl":
                return RotatingLines(JsonlOptions(path=str(tmp_path / "a.jsonl")))
            if kind == "clips":
                return EventClips(ClipsOptions(folder=str(tmp_path / "clips")))
            if kind == "mqtt":
                return MqttSink(MqttOptions(host="127.0.0.1", port=port, spool=spool))
            return Webhook(WebhookOptions(url=server.url, spool=spool))

        def use():
            with make() as sink:
                sink.put(event(0))
                sink.put(event(1))

        def held():
            threads = [
                thread.name for thread in threading.enumerate() if "process_request" not in thread.name
            ]
            return len(threads), len(os.listdir("/proc/self/fd"))

        use()
        before = held()
        for _ in range(10):
            use()
        wait_until(lambda: held() <= before, f"as before: {before}")
