"""The text that names a camera: which one, and in which mode."""

import re
from dataclasses import dataclass

from rnnedge_device.errors import SourceError
from rnnedge_device.redaction import redact

_CAMERA = re.compile(
    r"(?P<device>picamera\d?|\d{1,3}|/dev/[^:,]+?)"
    r"(?::(?P<width>\d{1,5})x(?P<height>\d{1,5})(?:@(?P<fps>\d{1,3}(?:\.\d+)?))?)?(?P<mjpg>,mjpg)?"
)
_URL = re.compile(r"(rtsps?|https?)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera's text in its parts.

    Args:
        device: `picamera` or `picamera1`, an index such as `0`, or a path such as `/dev/video0`.
        size: width and height to ask for; None for what the camera gives.
        fps: frames a second to ask for; 0 for what it gives.
        mjpg: ask for compressed frames, without which USB has no room for large ones.

    Example:
        CameraSpec.parse("0:1280x720@30,mjpg").size  # (1280, 720)
    """

    device: str
    size: tuple[int, int] | None = None
    fps: float = 0.0
    mjpg: bool = False

    @classmethod
    def parse(cls, spec: str) -> "CameraSpec | None":
        """None where the text names no camera.

        Raises:
            SourceError: it does, and asks for a size or rate of zero.
        """
        match = _CAMERA.fullmatch(spec)
        if match is None:
            return None
        width, height, fps = int(match["width"] or 0), int(match["height"] or 0), float(match["fps"] or 0)
        if (match["width"] and not (width and height)) or (match["fps"] and not fps):
            raise SourceError(f"source {spec!r}: must be CAMERA[:WIDTHxHEIGHT[@FPS]][,mjpg], all above zero")
        return cls(match["device"], (width, height) if width else None, fps, bool(match["mjpg"]))

    @property
    def picamera(self) -> bool:
        """Is it a camera at the Pi's own port?"""
        return self.device.startswith("picamera")

    @property
    def path(self) -> str:
        """The device's path; of the Pi's own cameras a name that no other device has."""
        if self.picamera:
            return f"picamera{self.device.removeprefix('picamera') or 0}"
        return f"/dev/video{self.device}" if self.device.isdigit() else self.device


def is_url(spec: str) -> bool:
    """Does the text name a camera in the network?"""
    return _URL.match(spec) is not None


def public_name(spec: str) -> str:
    """The text as it may be shown: without the user, password or token of a URL, and without declared secrets."""
    return redact(spec)
