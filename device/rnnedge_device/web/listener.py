"""The door: takes connections, so many at a time, and ends those that hang."""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from rnnedge_device.errors import InputError
from rnnedge_device.web.options import WebOptions

log = logging.getLogger(__name__)
_BACKLOG, _SWEEP_S = 32, 0.5


def open_socket(options: WebOptions) -> socket.socket:
    """A socket that listens at `host` and `port`.

    Raises:
        InputError: the port is in use, may not be used, or the host is no address of this machine.
    """
    where = f"web: cannot listen on {options.host}:{options.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as problem:
        raise InputError(f"{where}: host = {options.host!r}: {problem}") from None
    opened = socket.socket(family, kind, protocol)
    try:
        # Connections that ended a moment ago must not keep a restarted runner from its port.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
        opened.setblocking(False)
    except OSError as problem:
        opened.close()
        why = {
            errno.EADDRINUSE: "the port is in use; choose another one, or end what uses it",
            errno.EACCES: "ports below 1024 need a right that this process does not have; choose a higher one",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }.get(problem.errno or 0, os.strerror(problem.errno or 0))
        raise InputError(f"{where}: {why}") from None
    return opened


class Listener:
    """Accepts connections for a server. Each has a deadline; whoever works on one moves it.

    So a client that sends its request byte by byte, or takes no answer, costs one connection for a while and
    nothing else. Above `limit` connections a new one is closed at once: descriptors are for cameras too.

    Args:
        listening: as `open_socket` gives it.
        tls: None for plain HTTP.
        limit: connections at a time, those in their TLS handshake included.
        patience_s: how long a connection may hang.
    """

    def __init__(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext | None,
        limit: int,
        patience_s: float,
    ) -> None:
        self._socket, self._tls = listening, tls
        self._limit, self.patience_s = limit, patience_s
        self._connections: dict[Any, tuple[asyncio.Transport, float]] = {}  # by protocol: transport, deadline
        self._greeting: set[asyncio.Task[None]] = set()
        self.refused = 0

    @property
    def open(self) -> int:
        """Connections now."""
        return len(self._connections) + len(self._greeting)

    def extend(self, protocol: Any) -> None:
        """There was progress on this connection: its deadline is `patience_s` from now."""
        known = self._connections.get(protocol)
        if known:
            self._connections[protocol] = known[0], asyncio.get_running_loop().time() + self.patience_s

    async def run(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Accept until cancelled, then close the socket. `factory` makes a connection's protocol."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            await self._accept(factory)
        finally:
            sweeper.cancel()
            self._socket.close()
            for task in self._greeting:
                task.cancel()

    def abort(self) -> None:
        """Cut off whoever is still connected."""
        for transport, _ in self._connections.values():
            transport.abort()

    async def _accept(self, factory: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._socket)
            except OSError as problem:
                # Without descriptors, say: they come back when a connection ends.
                log.warning("web: cannot accept a connection: %s", os.strerror(problem.errno or 0))
                await asyncio.sleep(1.0)
                continue
            if self.open >= self._limit:
                self._tidy()
            if self.open >= self._limit:
                self.refused += 1
                accepted.close()
                continue
            task = asyncio.create_task(self._greet(accepted, factory))
            self._greeting.add(task)
            task.add_done_callback(self._greeting.discard)

    async def _greet(self, accepted: socket.socket, factory: Callable[[], asyncio.Protocol]) -> None:
        loop = asyncio.get_running_loop()
        # What fails from here on is the client's trouble, and the loop closes the socket: ssl.SSLError, a handshake
        # that takes too long and a connection that is gone are all OSErrors.
        with contextlib.suppress(OSError):
            transport, protocol = await loop.connect_accepted_socket(
                factory,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self.patience_s if self._tls else None,
                ssl_shutdown_timeout=1.0 if self._tls else None,
            )
            self._connections[protocol] = transport, loop.time() + self.patience_s

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._tidy()

    def _tidy(self) -> None:
        """Forget connections that have ended, and cut off those that are past their deadline."""
        now = asyncio.get_running_loop().time()
        for protocol, (transport, deadline) in list(self._connections.items()):
            # One that is closing still waits for its client to take what was written.
            ended = transport.is_closing() and not transport.get_write_buffer_size()
            if not ended and now > deadline:
                transport.abort()
                ended = True
            if ended:
                del self._connections[protocol]


def tls_context(options: WebOptions) -> ssl.SSLContext | None:
    """For HTTPS, None for HTTP.

    Raises:
        InputError: a certificate or key that cannot be read, or that do not belong together.
    """
    if options.cert is None or options.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name, path in (("cert", options.cert), ("key", options.key)):
        if not path.is_file() or not os.access(path, os.R_OK):
            raise InputError(f"web: {name} = {str(path)!r}: there is no such file, or it may not be read")
    try:
        # An encrypted key would be asked for at a terminal that is not there.
        context.load_cert_chain(options.cert, options.key, password=lambda: "")
    except (OSError, ValueError) as problem:
        why = getattr(problem, "reason", None) or problem
        raise InputError(
            f"web: cert = {str(options.cert)!r}, key = {str(options.key)!r}: no usable PEM pair: {why}"
        ) from None
    return context
