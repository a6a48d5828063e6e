"""What the tests of the web view share: a server around the small pipeline, and what is read from its answers."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from live_run import LiveRun
from prometheus_client.parser import text_string_to_metric_families

from rnnedge_device.web.options import WebOptions
from rnnedge_device.web.server import WebServer

TOKEN = "correct-horse-battery-staple"


@contextlib.contextmanager
def serving(run: LiveRun, patience_s: float = 20.0, **options: Any) -> Iterator[WebServer]:
    """A server on a port of the system's choice."""
    with WebServer(WebOptions(port=0, **options), run.view, run, run, patience_s) as server:
        yield server


def token_file(folder: Path, token: str = TOKEN) -> Path:
    path = folder / "web.token"
    path.write_text(token + "\n")
    path.chmod(0o600)
    return path


@contextlib.contextmanager
def browser(server: WebServer) -> Iterator[httpx.Client]:
    """With cookies, as a browser that has opened the page."""
    with httpx.Client(base_url=server.url, timeout=20) as client:
        client.get("/")
        yield client


def wait_for(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Until it is true, or the test has failed."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


def metric(server: WebServer, name: str, **labels: str) -> float | None:
    """A sample's value; None where there is none."""
    text = httpx.get(f"{server.url}metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def connect(server: WebServer, receive_buffer: int = 0) -> socket.socket:
    """A bare connection."""
    opened = socket.socket()
    if receive_buffer:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.settimeout(20)
    url = httpx.URL(server.url)
    opened.connect((url.host, url.port))
    return opened


def ended(opened: socket.socket) -> bool:
    """Read until the server ends the connection; a timeout of the socket is a failure."""
    try:
        while opened.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return True


class Viewer:
    """Reads a stream's parts from a bare connection."""

    def __init__(self, server: WebServer, camera: str = "door", receive_buffer: int = 0) -> None:
        self.socket = connect(server, receive_buffer)
        self.socket.sendall(
            f"GET /api/cameras/{camera}/stream.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
        )
        self._bytes = self.socket.makefile("rb")
        self.status = int(self._bytes.readline().split()[1])
        while self._bytes.readline().strip():
            pass

    def part(self) -> tuple[int, bytes]:
        """The next picture: its number and JPEG."""
        assert self._bytes.readline().startswith(b"--")
        head = {}
        while line := self._bytes.readline().decode().strip():
            key, _, value = line.partition(": ")
            head[key] = value
        assert head["Content-Type"] == "image/jpeg"
        jpeg = self._bytes.read(int(head["Content-Length"]))
        assert self._bytes.readline() == b"\r\n"
        return int(head["X-Frame"]), jpeg

    def close(self) -> None:
        self._bytes.close()
        self.socket.close()
