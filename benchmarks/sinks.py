"""What a sink costs whoever puts, and how soon it recovers when its other side is back.

Each other side is a real one: a mosquitto that is killed, an HTTP server that is closed, a disk of 1 MB (a mount, so
it needs root) that is filled. It is away for `--away` seconds while 10 lines a second are put; then the time runs from
the moment it is there again until the first line that waited is delivered, and until all are.

Usage: python benchmarks/sinks.py [--away 60] [--json]
"""

import argparse
import contextlib
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.mqtt import MqttOptions, MqttSink
from rnnedge_device.sinks.rotating import JsonlOptions, RotatingLines
from rnnedge_device.sinks.sink import Sink
from rnnedge_device.sinks.webhook import Webhook, WebhookOptions

_PUTS, _RATE = 5_000, 10.0
_PATIENCE_S = 300.0
Switch = Callable[[bool], None]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--away", type=float, default=60.0, help="seconds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for name, case in (
        ("jsonl", _disk),
        ("mqtt", _broker),
        ("webhook", _server),
        ("webhook, spool", _spooled),
    ):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            try:
                sink, switch = stack.enter_context(case(Path(folder)))
            except FileNotFoundError as missing:
                print(f"{name}: left out: {missing}", file=sys.stderr)
                continue
            rows.append({"sink": name, **_measure(sink, switch, options.away)})
    if options.json:
        print(json.dumps(rows))
        return 0
    print(
        f"{'':16} {'put, µs':>8} {'p99':>6} {'lines/s':>8} {'waited':>7} {'first, s':>9} {'all, s':>7} {'lost':>5}"
    )
    for row in rows:
        print(
            f"{row['sink']:16} {row['put_us']:8.1f} {row['put_p99_us']:6.1f} {row['lines_s']:8.0f} {row['waited']:7d}"
            f" {row['first_s']:9.2f} {row['all_s']:7.2f} {row['lost']:5d}"
        )
    return 0


def _measure(sink: Sink, switch: Switch, away_s: float) -> dict[str, Any]:
    numbers = iter(range(10**9))

    def put() -> float:
        number = next(numbers)
        line = {"ts_ms": 0.0, "event": "start", "label": "fall", "score": 0.9, "id": f"run-door-{number}"}
        begin = time.perf_counter()
        sink.put(Message("door", line))
        return 1e6 * (time.perf_counter() - begin)

    put()
    _until(lambda: sink.status()["sent"] == 1)
    begin = time.monotonic()
    spent = sorted(put() for _ in range(_PUTS))
    _until(lambda: sink.status()["queued"] == 0)
    rate = _PUTS / (time.monotonic() - begin)
    switch(False)
    until = time.monotonic() + away_s
    while time.monotonic() < until:
        put()
        time.sleep(1 / _RATE)
    before = sink.status()
    switch(True)
    begin = time.monotonic()
    _until(lambda: sink.status()["sent"] > before["sent"])
    first = time.monotonic() - begin
    _until(lambda: sink.status()["queued"] == 0)
    return {
        "put_us": statistics.median(spent),
        "put_p99_us": spent[int(0.99 * len(spent))],
        "lines_s": rate,
        "waited": before["queued"],
        "first_s": first,
        "all_s": time.monotonic() - begin,
        "lost": sink.status()["lost"],
    }


def _until(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError("the sink did not recover")
        time.sleep(0.002)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[tuple[Sink, Switch]]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        raise FileNotFoundError("a disk to fill needs the right to mount one")
    filler = folder / "filler"

    def switch(on: bool) -> None:
        filler.unlink(missing_ok=True)
        if not on:
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

    try:
        with RotatingLines(JsonlOptions(path=str(folder / "log.jsonl"), max_bytes=100_000, keep=1)) as sink:
            yield sink, switch
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[tuple[Sink, Switch]]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if not program:
        raise FileNotFoundError("mosquitto is not installed")
    port, config, running = _free_port(), folder / "mosquitto.conf", list[subprocess.Popen[bytes]]()
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n")

    def switch(on: bool) -> None:
        if on:
            running.append(subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL))
            _until(lambda: _listens(port))
        else:
            process = running.pop()
            process.kill()
            process.wait()

    switch(True)
    with MqttSink(MqttOptions(host="127.0.0.1", port=port, queue=10_000)) as sink:
        yield sink, switch
    switch(False)


@contextlib.contextmanager
def _server(folder: Path, spool: str = "") -> Iterator[tuple[Sink, Switch]]:
    port, running = _free_port(), list[ThreadingHTTPServer]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    def switch(on: bool) -> None:
        if on:
            running.append(ThreadingHTTPServer(("127.0.0.1", port), Handler))
            threading.Thread(target=running[-1].serve_forever, args=(0.01,), daemon=True).start()
        else:
            server = running.pop()
            server.shutdown()
            server.server_close()

    switch(True)
    address = f"http://127.0.0.1:{port}/"
    with Webhook(WebhookOptions(url=address, queue=10_000, spool=spool)) as sink:
        yield sink, switch
    switch(False)


def _spooled(folder: Path) -> contextlib.AbstractContextManager[tuple[Sink, Switch]]:
    return _server(folder, str(folder / "hook.spool"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
