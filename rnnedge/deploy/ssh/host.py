"""``Host``: where a device is and as whom to go there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rnnedge_device.errors import InputError

# No leading dash: ssh would take it for an option.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.%:-]*|::[0-9A-Fa-f:.]*(%\w+)?")


@dataclass(frozen=True)
class Host:
    """A device that can be reached over ssh.

    Args:
        address: a name, an IP address, or a name of the user's ssh config.
        user, port: None for what ssh's config says.
        identity: file of the private key; None for the agent's and the default ones.
        ssh_config: a file in place of the user's ssh config.
        name: what it is called in tables; the address if empty.

    Raises:
        InputError: a user, address or port that cannot be one, or a file that is not there.

    Example:
        Host.parse("pi@door.local:2222")
    """

    address: str
    user: str | None = None
    port: int | None = None
    identity: Path | None = None
    ssh_config: Path | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise InputError(f"address = {self.address!r}: must be a host's name or an IP address")
        if self.user is not None and not _USER.fullmatch(self.user):
            raise InputError(f"user = {self.user!r}: must be the name of a user")
        if self.port is not None and not 0 < self.port < 65_536:
            raise InputError(f"port = {self.port}: must be 1 to 65535")
        for option, path in (("identity", self.identity), ("ssh config", self.ssh_config)):
            if path is not None and not path.is_file():
                raise InputError(f"{option} = {str(path)!r}: no such file")

    @classmethod
    def parse(cls, text: str, identity: Path | None = None, ssh_config: Path | None = None) -> Host:
        """``[user@]host[:port]``; an IPv6 address with a port in brackets."""
        user, at, rest = text.rpartition("@")
        found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?|([^:]*:[^:]*:.*)", rest)
        if not found or (at and not user):
            raise InputError(f"--to {text!r}: must be user@host or user@host:port")
        address = found[1] or found[3] or found[5]
        port = found[2] or found[4]
        return cls(address, user or None, int(port) if port else None, identity, ssh_config)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.address

    @property
    def options(self) -> list[str]:
        """Options of the ssh command line that lead there, without the address."""
        found: list[str] = []
        for option, value in (
            ("-F", self.ssh_config),
            ("-l", self.user),
            ("-p", self.port),
            ("-i", self.identity),
        ):
            if value is not None:
                found += [option, str(value)]
        return found
