"""The fleet file: which devices there are, and what is different about each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rnnedge.deploy.ssh.deployment import Deployment
from rnnedge.deploy.ssh.host import Host
from rnnedge_device.errors import InputError
from rnnedge_device.toml_file import read_toml

Text = Annotated[str, Field(min_length=1)]


class HostDefaults(BaseModel):
    """What holds for every host that does not say otherwise: the section `[defaults]`.

    Args:
        user, port, identity, ssh_config: as ssh takes them; paths are looked for beside the fleet file.
        arch: what the device must be; without it, whatever it is.
        form: of the bundle; without it the fastest that passes its test there.
        config: a file for the device's `/etc/rnnedge/rnnedge.toml`; without it the one there stays.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    user: Text | None = None
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    identity: Text | None = None
    ssh_config: Text | None = None
    arch: Literal["arm64", "armhf", "amd64"] | None = None
    form: Text | None = None
    config: Text | None = None


class FleetHost(HostDefaults):
    """A section `[[host]]`.

    Args:
        address: host name or IP address.
        name: in tables; the address if it has none.
    """

    address: Text
    name: Text | None = None

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name or self.address


class Fleet(BaseModel):
    """A whole fleet file.

    Args:
        parallel: so many devices at a time.
        retries: of a step after a lost connection.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    defaults: HostDefaults = HostDefaults()
    host: Annotated[list[FleetHost], Field(min_length=1)]

    @model_validator(mode="after")
    def _are_distinct(self) -> Self:
        titles = [host.title for host in self.host]
        for title in titles:
            if titles.count(title) > 1:
                raise ValueError(f"two hosts are called {title!r}: a name must be unique")
        return self

    def deployments(self, folder: Path) -> list[Deployment]:
        """One for each host, with what it has of the defaults.

        Args:
            folder: of the fleet file; relative paths in it are looked for there.

        Raises:
            InputError: an address, a user or a file that cannot be used; the message names the host.
        """
        found = []
        for host in self.host:
            own = {name: getattr(host, name) for name in HostDefaults.model_fields}
            own = {
                name: getattr(self.defaults, name) if value is None else value for name, value in own.items()
            }
            paths = {
                name: folder / Path(own[name]).expanduser() if own[name] else None
                for name in ("identity", "ssh_config", "config")
            }
            try:
                where = Host(
                    host.address, own["user"], own["port"], paths["identity"], paths["ssh_config"], host.title
                )
                if paths["config"] and not paths["config"].is_file():
                    raise InputError(f"config = {str(paths['config'])!r}: no such file")
            except InputError as problem:
                raise InputError(f"host {host.title!r}: {problem}") from None
            found.append(Deployment(where, own["arch"], own["form"], paths["config"], self.retries))
        return found


def load_fleet(path: Path) -> tuple[Fleet, list[Deployment]]:
    """Read and check a fleet file.

    Raises:
        InputError: no such file, not TOML, an unknown key, a wrong type, a value that is not allowed or a file that is
            not there; the message names the key, the value and what is allowed.

    Example:
        fleet, deployments = load_fleet(Path("fleet.toml"))
    """
    values = read_toml(path, "fleet")
    try:
        fleet = Fleet.model_validate(values)
        return fleet, fleet.deployments(path.parent)
    except ValidationError as error:
        raise InputError(f"fleet {path}: " + "; ".join(map(_problem, error.errors()))) from None
    except InputError as problem:
        raise InputError(f"fleet {path}: {problem}") from None


def _problem(error: Any) -> str:
    """One validation error as text: the key, what it received, what is allowed."""
    place = error["loc"]
    key = ".".join(str(part) for part in place)
    if error["type"] == "extra_forbidden":
        sections: dict[str, type[BaseModel]] = {"host": FleetHost, "defaults": HostDefaults}
        section = sections.get(str(place[0]) if place[1:] else "", Fleet)
        return f"unknown key {key!r}; allowed: {', '.join(sorted(section.model_fields))}"
    if error["type"] == "missing":
        return f"{key}: is missing"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    return f"{key} = {error['input']!r}: {message}" if place else message
