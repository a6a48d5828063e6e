"""What may be set about the web view: the section `[web]` of a config."""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, field_validator, model_validator

Port = Annotated[StrictInt, Field(ge=0, le=65535)]
Side = Annotated[StrictInt, Field(ge=64, le=4096)]


class WebOptions(BaseModel):
    """Where the web view listens, who may look, and how large its pictures are.

    Args:
        host: address to listen on; any but a loopback address needs `token_file`.
        port: 0 lets the system choose one.
        token_file: its first line is the token that whoever looks or acts must show: 16 or more printable ASCII
            characters without spaces. Others must not be able to read the file.
        cert, key: PEM files; both for HTTPS.
        hosts: further names by which browsers may call this machine; addresses, `localhost` and the machine's own
            name (also with `.local`) are always allowed.
        bundles: the folder whose bundles may be swapped in by name; None: none may.
        max_fps: pictures a second that a viewer gets at most.
        quality: of the JPEG pictures, 1..100.
        max_side: pixels; larger pictures are reduced.

    Raises:
        ValidationError: an unknown key, a wrong type, a value that is not allowed, or two that do not go together.

    Example:
        WebOptions(host="0.0.0.0", port=8443, token_file="web.token", cert="pi.crt", key="pi.key")
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Port = 8080
    token_file: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    hosts: tuple[str, ...] = ()
    bundles: Path | None = None
    max_fps: Annotated[float, Field(gt=0, le=60)] = 15.0
    quality: Annotated[StrictInt, Field(ge=1, le=100)] = 80
    max_side: Side = 960

    @field_validator("hosts", mode="after")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return tuple(name.lower().rstrip(".") for name in value)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if not self.loopback and self.token_file is None:
            raise ValueError(
                f"host = {self.host!r}: others can reach this address, so token_file must be given; without one "
                "only a loopback address is allowed, such as 127.0.0.1"
            )
        if (self.cert is None) != (self.key is None):
            given, missing = ("cert", "key") if self.key is None else ("key", "cert")
            raise ValueError(f"{given} is given and {missing} is not: HTTPS needs both")
        return self

    @property
    def loopback(self) -> bool:
        """Is `host` an address that only this machine can reach?"""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name: whatever it means, it is not known to be this machine only
            return False
