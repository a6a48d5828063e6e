"""What the sinks' fault tests are made of: lines, a real broker, a real HTTP server, a disk that fills up."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rnnedge_device.sinks.message import Message

DEADLINE_S = 60.0  # for what takes a second or two on a machine with nothing else to do
MOSQUITTO = shutil.which("mosquitto") or next(
    (path for path in ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto") if Path(path).exists()), None
)
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def event(number: int, camera: str = "door", **more: Any) -> Message:
    kind = "end" if number % 2 else "start"
    line = {
        "ts_ms": 40.0 * number,
        "event": kind,
        "label": "fall",
        "score": 0.9,
        "id": f"run-{camera}-{number}",
    }
    return Message(camera, {**line, **more})


def step(number: int, camera: str = "door", label: str = "none") -> Message:
    return Message(camera, {"ts_ms": 40.0 * number, "label": label, "score": 0.5})


def ids(count: int, camera: str = "door") -> list[str]:
    return [f"run-{camera}-{number}" for number in range(count)]


def once(found: list[str]) -> list[str]:
    """As a receiver has them who drops doubles by their id: in the order of their first coming."""
    return list(dict.fromkeys(found))


def wait_until(ready: Callable[[], Any], what: str) -> None:
    until = time.monotonic() + DEADLINE_S
    while not ready():
        assert time.monotonic() < until, f"in vain: {what}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A mosquitto of the test's own.

    Args:
        extra: lines of its configuration, who may connect.
        listener: further lines about its port.
        remembers: through `kill`, what it was told.
    """

    def __init__(self, folder: Path, extra: str = "", listener: str = "", remembers: bool = True) -> None:
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\n{listener}\nuser root\n"
            f"persistence {str(remembers).lower()}\npersistence_location {folder}/\n"
            "autosave_on_changes true\nautosave_interval 1\n"
            # What it has acknowledged is on its way to listeners then, not in its memory.
            "max_inflight_messages 0\nmax_queued_messages 0\n"
            f"log_dest file {folder}/broker.log\nlog_type all\n{extra or 'allow_anonymous true'}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._listens, "the broker listens")

    def send(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def kill(self) -> None:
        """No farewell: as a power cut."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def published(self, topic: str) -> int:
        """How often it was given something of that topic, doubles too."""
        log = self.config.with_name("broker.log").read_text(errors="replace")
        return sum("Received PUBLISH" in line and f"'{topic}'" in line for line in log.splitlines())

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        assert self.process
        assert self.process.poll() is None, "mosquitto did not start"
        return False


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


class Listener:
    """Who subscribes and is remembered by the broker: `heard` has topic, payload and retain flag of everything."""

    def __init__(self, port: int, topic: str = "#", name: str = "listener", **login: str) -> None:
        import paho.mqtt.client as mqtt

        self.heard: list[tuple[str, bytes, bool]] = []
        self.connected = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, clean_session=False)
        if login:
            self._client.username_pw_set(login["user"], login["password"])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = lambda client, data, message: self.heard.append(
            (message.topic, message.payload, message.retain)
        )
        self._client.on_connect = lambda client, *rest: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *rest: self.connected.set()
        self._client.on_disconnect = lambda *rest: self.connected.clear()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_until(self.connected.is_set, "the listener has subscribed")

    def lines(self, ending: str) -> list[dict[str, Any]]:
        """The lines heard at topics that end so, without what is only repeated for a new subscription."""
        return [
            json.loads(body)
            for topic, body, retained in list(self.heard)
            if topic.endswith(ending) and not retained
        ]

    def ids(self) -> list[str]:
        """Those of all lines that have one, in the order in which they were heard, doubles too."""
        lines = [json.loads(body) for _, body, _ in list(self.heard) if body.startswith(b"{")]
        return [line["id"] for line in lines if "id" in line]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class HookServer:
    """A real HTTP server at one port, to be started and stopped.

    Args:
        answers: status and headers of the next answers; 200 when there are none left.
        received: headers and parsed body of every request, answered or not.
        gate: while it is not set, requests wait for their answer.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[str] = []  # ids that were answered with 200
        self.gate = threading.Event()
        self.gate.set()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for _, body in self.received]

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append((dict(self.headers), body))
                outer.gate.wait(DEADLINE_S)
                status, headers = outer.answers.popleft() if outer.answers else (200, {})
                if status == 200:
                    outer.taken.append(json.loads(body)["id"])
                with contextlib.suppress(OSError):  # who asked has gone
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextlib.contextmanager
def small_disk(path: Path, size: str = "256k") -> Iterator[Path]:
    """A file system that is soon full. Skips where this process may not mount one."""
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return path
