"""The cameras that a request may name."""

import re
import time
from typing import Any

from aiohttp import web

from rnnedge_device.web.camera_view import CameraView
from rnnedge_device.web.live import LiveView
from rnnedge_device.web.ports import Status

_FRESH_S = 0.25
_CREDENTIALS = re.compile(r"(?<=//)[^/\s]+(?=@)")


class Cameras:
    """What the runner says of its cameras, and what there is to see of each.

    Args:
        status: of the runner; asked at most every quarter of a second, however many look.
    """

    def __init__(self, status: Status, view: LiveView) -> None:
        self._status, self._view = status, view
        self._snapshot: dict[str, Any] = {}
        self._asked_s = -_FRESH_S

    def snapshot(self) -> dict[str, Any]:
        """The runner's; not to be changed."""
        now = time.monotonic()
        if now - self._asked_s >= _FRESH_S:
            self._snapshot, self._asked_s = _without_passwords(self._status.snapshot()), now
        return self._snapshot

    def of(self, request: web.Request) -> CameraView:
        """The one that the path names.

        Raises:
            HTTPNotFound: there is none of that name.
        """
        name = request.match_info["name"]
        if name not in self._view.cameras and name not in self.snapshot().get("cameras", {}):
            raise web.HTTPNotFound(text="there is no camera of that name; /api/status lists them")
        return self._view.camera(name)


def _without_passwords(snapshot: dict[str, Any]) -> dict[str, Any]:
    """A camera's URL may have one: rtsp://user:password@…"""
    cameras = {
        name: {**camera, "source": _CREDENTIALS.sub("…", str(camera.get("source", "")))}
        for name, camera in snapshot.get("cameras", {}).items()
    }
    return {**snapshot, "cameras": cameras}
