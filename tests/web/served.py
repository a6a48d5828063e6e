"""The site as phones get it: written by `rnnedge deploy --web`, handed out by the runner's own server."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnnedge_device.phones.certificate import Certificate
from rnnedge_device.phones.server import PhoneServer
from rnnedge_device.phones.site import read_site


@contextmanager
def served(site: Path, certificate: Certificate | None = None, port: int = 0) -> Iterator[int]:
    """Serve a folder at a port of this machine; without a certificate over HTTP, secure at localhost only."""
    server = PhoneServer(read_site(site), "127.0.0.1", port, certificate)
    loop = asyncio.new_event_loop()
    task = loop.create_task(server.run())

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)
