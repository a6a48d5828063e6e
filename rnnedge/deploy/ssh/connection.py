"""``Connection``: the system's ssh, one connection for all commands, opened anew after a cut."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from rnnedge.deploy.ssh.host import Host
from rnnedge_device.errors import InputError

_BLOCK = 64 * 1024
_LOST = 255  # ssh's own exit code
# What a connection must not do without: nobody is there to answer, and a host that is not known is not trusted.
_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ConnectionAttempts": "1",
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
}


class DeployError(Exception):
    """A device that did not do what it was asked to; one message for people."""


class LinkError(DeployError):
    """The connection could not be made or was lost; what had begun on the device may have gone on."""


class RefusedError(LinkError):
    """No connection, and none if it is tried again: a host key, a user or a key that is not accepted."""


class Connection:
    """Commands on a host, over one ssh connection that is opened when it is first needed.

    Example:
        with Connection(Host.parse("pi@door.local")) as connection:
            print(connection.run("uname -m"))
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self._folder = tempfile.TemporaryDirectory(prefix="rnnedge-")
        self._master: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
        self._folder.cleanup()

    def close(self) -> None:
        """End the connection; the next command opens another."""
        if self._master is not None:
            self._master.terminate()
            try:
                self._master.wait(5)
            except subprocess.TimeoutExpired:
                self._master.kill()
                self._master.wait()
            self._master = None
        self._socket.unlink(missing_ok=True)

    def run(self, command: str, stdin: bytes = b"", timeout_s: float = 120.0) -> str:
        """Run a command there and return what it writes to stdout.

        Raises:
            LinkError: the connection was lost; run it again once it may be run again.
            DeployError: the command failed; the message is the last line of its stderr, or it took too long.
        """
        with self._started(command) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise DeployError(f"no answer within {timeout_s:.0f} s") from None
        self._check(process.returncode, err)
        return out.decode(errors="replace")

    def send(self, command: str, path: Path, offset: int, sent: Callable[[int], None]) -> None:
        """Run a command there with a file, from a byte on, as its stdin.

        Args:
            sent: told how many bytes of the file have gone.

        Raises:
            As `run`.
        """
        with self._started(command) as process, path.open("rb") as file:
            assert process.stdin is not None
            assert process.stderr is not None
            file.seek(offset)
            # What a lost connection, or a command that ended early, leaves unread is told by the exit code.
            with contextlib.suppress(BrokenPipeError):
                self._pump(file, process.stdin, sent)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            err = process.stderr.read()
        self._check(process.returncode, err)

    @staticmethod
    def _pump(file: BinaryIO, pipe: IO[bytes], sent: Callable[[int], None]) -> None:
        while block := file.read(_BLOCK):
            pipe.write(block)
            sent(file.tell())

    def _started(self, command: str) -> subprocess.Popen[bytes]:
        self._open()
        # Where the master is gone, fail; ssh would open a second connection of its own.
        words = [*self._words, "-o", "ControlMaster=no", "-o", "ProxyCommand=false"]
        return subprocess.Popen(
            ["ssh", *words, "-T", "--", self.host.address, command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _check(self, code: int, err: bytes) -> None:
        message = err.decode(errors="replace").strip()
        if code == _LOST:
            self.close()
            raise LinkError(f"the connection to {self.host.title} was lost")
        if code:
            raise DeployError(message.splitlines()[-1] if message else f"exit code {code}")

    @property
    def _socket(self) -> Path:
        return Path(self._folder.name) / "s"

    @property
    def _words(self) -> list[str]:
        settings = {**_OPTIONS, "ControlPath": str(self._socket)}
        return [*self.host.options, *(word for item in settings.items() for word in ("-o", "=".join(item)))]

    def _open(self) -> None:
        if self._master is not None and self._master.poll() is None:
            return
        self.close()
        # A child of ours and not ssh's own background process, so that it ends with us and its words are kept.
        said = Path(self._folder.name) / "said"
        with said.open("wb") as errors:
            try:
                self._master = subprocess.Popen(
                    ["ssh", *self._words, "-o", "ControlMaster=yes", "-N", "-T", "--", self.host.address],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                )
            except FileNotFoundError:
                raise InputError("ssh is not installed here: install OpenSSH's client") from None
        deadline = time.monotonic() + 60.0
        while not self._socket.exists():
            if self._master.poll() is not None:
                raise self._refusal(said.read_text(errors="replace"))
            if time.monotonic() > deadline:
                self.close()
                raise LinkError(f"{self.host.title} does not finish the ssh handshake")
            time.sleep(0.02)

    def _refusal(self, said: str) -> LinkError:
        """Why there is no connection, from what ssh said."""
        where, why = self.host.title, said.strip().splitlines()[-1] if said.strip() else "ssh gave no reason"
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
            return RefusedError(
                f"{where} shows another host key than the one that is known: another machine, or a freshly flashed "
                "card; if it is the latter, remove the old key with ssh-keygen -R"
            )
        if "Host key verification failed" in said or "host key is known" in said:
            return RefusedError(
                f"the host key of {where} is not known: connect once by hand (ssh "
                f"{self.host.user + '@' if self.host.user else ''}{self.host.address}) and compare its fingerprint"
            )
        if "Permission denied" in said or "Too many authentication failures" in said:
            return RefusedError(
                f"{where} does not let {self.host.user or 'this user'} in: no key that it accepts (ssh-copy-id "
                "puts yours there; passwords are not asked for)"
            )
        if "Bad owner or permissions" in said or "Bad configuration option" in said:
            return RefusedError(f"ssh: {why}")
        return LinkError(f"{where} cannot be reached: {why}")
