"""A proxy on loopback that does something once so many bytes have gone to the device, such as cutting the line."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class CuttingProxy:
    """Forwards connections; counts what goes to the device, over all of them.

    Args:
        port: of the device's sshd on 127.0.0.1.
        after: bytes.
        then: called once, before byte AFTER + 1 goes; None cuts all connections that are open then.

    `bytes` has gone; `connections` were made.
    """

    def __init__(self, port: int, after: int | None = None, then: Callable[[], None] | None = None) -> None:
        self._device, self._left, self._then = port, after, then
        self.bytes = self.connections = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """All connections end, on both sides."""
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    device = socket.create_connection(("127.0.0.1", self._device))
                except OSError:
                    client.close()
                    continue
                self.connections += 1
                self._open |= {client, device}
                threading.Thread(target=self._pump, args=(client, device, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(device, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                target.sendall(self._counted(data) if counted else data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._open.discard(end)

    def _counted(self, data: bytes) -> bytes:
        with self._lock:
            self.bytes += len(data)
            if self._left is None:
                return data
            if len(data) <= self._left:
                self._left -= len(data)
                return data
            self._left = None
        if self._then is None:
            self.cut()
            raise OSError("cut")
        self._then()
        return data
