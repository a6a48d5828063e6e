"""``Device``: a host's side of a deployment, step by step. A step that a cut link has interrupted is run again."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from rnnedge.deploy.ssh.connection import Connection, DeployError, LinkError, RefusedError
from rnnedge.deploy.ssh.facts import DeviceFacts
from rnnedge_device.files import sha256

Result = TypeVar("Result")
_CACHE = "/var/cache/rnnedge"
# Dpkg unpacks slowly on a card, and a self-test on a Zero 2 W takes its time.
_LONG_S = 900.0
_BETWEEN_S = 2.0


def step_script() -> str:
    """The shell functions that run on a device, `steps.sh`, without the call at the end."""
    return (resources.files("rnnedge.deploy.ssh") / "steps.sh").read_text(encoding="utf-8")


class Device:
    """What a deployment asks of one device.

    Args:
        retries: how often a step is tried again after a lost connection.

    Raises:
        LinkError: no connection, after as many tries.
        DeployError: the step failed there.
    """

    def __init__(self, connection: Connection, retries: int = 3) -> None:
        self.connection = connection
        self._retries = retries
        self._as_root: str | None = None

    def facts(self) -> DeviceFacts:
        """What it is. DeployError where the user may not become root."""
        return DeviceFacts.parse(self.step("facts"))

    def wait_for_dpkg(self, tries: int = 30) -> None:
        """Until no other installation is under way there. DeployError after a minute, with who it is."""
        for _ in range(tries):
            held = self.facts().held
            if not held:
                return
            time.sleep(_BETWEEN_S)
        raise DeployError(f"{held} is installing packages there: try again when it is done")

    def step(self, *words: str) -> str:
        """Run a step of `steps.sh` there, as root; its stdout."""
        return self._again(lambda: self._run(*words))

    def answer(self, *words: str) -> dict[str, Any]:
        """A step's JSON: the last line of its stdout."""
        lines = self.step(*words).strip().splitlines()
        try:
            found: dict[str, Any] = json.loads(lines[-1])
        except (IndexError, ValueError):
            raise DeployError(f"{words[0]}: answered {lines[-1:]} in place of JSON") from None
        return found

    def upload(self, path: Path, name: str, told: Callable[[float], None] = lambda share: None) -> None:
        """Copy a file into the device's cache under a name; goes on where an earlier try was cut.

        Args:
            told: the share of the file that has gone.

        Raises:
            DeployError: it arrived damaged, or the disk there is full.
        """
        data = path.read_bytes()
        whole = sha256(data)

        def copy() -> None:
            have, _, digest = self._run("arriving", name, whole).strip().partition(" ")
            if have == "whole":
                return
            size = int(have)
            # A start that is not ours, such as one that a power cut has left as zeros, is written over.
            offset = size if size <= len(data) and hashlib.sha256(data[:size]).hexdigest() == digest else 0
            # By position: what a lost connection still has under way may write the same bytes to the same places.
            target = shlex.quote(f"{_CACHE}/{name}.part")
            write = f"dd of={target} bs=64k seek={offset} oflag=seek_bytes iflag=fullblock status=none"
            write += " conv=notrunc" if offset else ""
            self.connection.send(self._root() + write, path, offset, lambda at: told(at / len(data)))

        self._again(copy)
        self.step("arrived", name, whole)
        told(1.0)

    def _run(self, *words: str) -> str:
        script = f'{step_script()}\nmain "$@" </dev/null\n'
        return self.connection.run(
            self._root() + shlex.join(["sh", "-s", "--", *words]), script.encode(), _LONG_S
        )

    def _root(self) -> str:
        """What goes before a command that root must run."""
        if self._as_root is None:
            asked = 'if [ "$(id -u)" = 0 ]; then echo root; elif sudo -n true 2>/dev/null; then echo sudo; fi'
            found = self.connection.run(asked).strip()
            if not found:
                raise DeployError(
                    "this user may not become root without a password: must be root, or have passwordless sudo"
                )
            self._as_root = "" if found == "root" else "sudo -n "
        return self._as_root

    def _again(self, act: Callable[[], Result]) -> Result:
        for tried in range(self._retries + 1):
            try:
                return act()
            except RefusedError:
                raise
            except LinkError:
                if tried == self._retries:
                    raise
                time.sleep(_BETWEEN_S)
        raise AssertionError("unreachable")
