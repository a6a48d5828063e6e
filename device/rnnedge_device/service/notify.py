"""sd_notify: a few words to the service manager over a Unix datagram socket. Silent where there is none."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping

from rnnedge_device.closing import Closing


class Notifier(Closing):
    """Tells systemd how the service is. The protocol is that of `man sd_notify`.

    Never blocks and never raises: a manager that does not listen must not stop a camera.

    Args:
        environ: where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked up; None for the process's own.

    Example:
        notifier = Notifier()
        notifier.ready("2 cameras")
        ...
        notifier.stopping()
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._socket: socket.socket | None = None
        self.watchdog_s = _watchdog_s(environ)
        address = environ.get("NOTIFY_SOCKET", "")
        if address[:1] not in ("/", "@"):
            return
        # An @ stands for the NUL byte of an abstract name.
        name = "\0" + address[1:] if address[0] == "@" else address
        with contextlib.suppress(OSError):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            self._socket.connect(name)

    @property
    def listened_to(self) -> bool:
        """Is there a service manager?"""
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """Everything has started, or after `reloading` everything is as the new configuration says."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> None:
        """The service drains and ends."""
        self._send("STOPPING=1", *_status(status))

    def status(self, text: str) -> None:
        """A line for `systemctl status`."""
        self._send(*_status(text or " "))

    def watchdog(self) -> None:
        """A sign of life, at least every `watchdog_s` seconds."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Give the socket back. Harmless when called again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *words: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.send("\n".join(words).encode())


def _status(text: str) -> tuple[str, ...]:
    line = " ".join(text.split())
    return (f"STATUS={line}",) if text else ()


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """The longest pause between two signs of life, in seconds; None where nobody waits for any from this process."""
    try:
        limit_us, pid = (
            int(environ.get("WATCHDOG_USEC", "0")),
            int(environ.get("WATCHDOG_PID") or os.getpid()),
        )
    except ValueError:
        return None
    return limit_us / 1e6 if limit_us > 0 and pid == os.getpid() else None
