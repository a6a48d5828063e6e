"""The JSON API: how things are, what happened, and what may be asked for."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from rnnedge_device.errors import InputError
from rnnedge_device.web.cameras import Cameras
from rnnedge_device.web.metrics import CONTENT_TYPE, Metrics
from rnnedge_device.web.ports import Controls

log = logging.getLogger(__name__)


class Api:
    """Routes that answer with JSON, and `/metrics`.

    Args:
        bundles: the folder from which bundles may be swapped in; None: none may.
    """

    def __init__(self, cameras: Cameras, controls: Controls, metrics: Metrics, bundles: Path | None) -> None:
        self._cameras, self._controls, self._metrics, self._bundles = cameras, controls, metrics, bundles

    def routes(self) -> list[web.RouteDef]:
        camera = "/api/cameras/{name}"
        return [
            web.get("/healthz", self.healthz),
            web.get("/metrics", self.metrics),
            web.get("/api/status", self.status),
            web.get(f"{camera}/events", self.events),
            web.get(f"{camera}/history", self.history),
            web.post(f"{camera}/reset", self.reset),
            web.post(f"{camera}/rollback", self.rollback),
            web.post(f"{camera}/swap", self.swap),
        ]

    async def healthz(self, request: web.Request) -> web.Response:
        """200 where the runner is healthy, 503 where not."""
        healthy = bool(self._cameras.snapshot().get("healthy"))
        return web.json_response({"healthy": healthy}, status=200 if healthy else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """For Prometheus."""
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def status(self, request: web.Request) -> web.Response:
        """The runner's snapshot."""
        return web.json_response(self._cameras.snapshot())

    async def events(self, request: web.Request) -> web.Response:
        """The last events, captions and health lines, oldest first; with `?after=N` those later than number N."""
        lines = self._cameras.of(request).lines(int(_number(request, "after")))
        return web.json_response({"events": lines})

    async def history(self, request: web.Request) -> web.Response:
        """`{"now", "points": [[time, score, label], …]}` of the last five minutes, times in seconds of one clock;
        with `?after=T` those later than T."""
        points = self._cameras.of(request).history(_number(request, "after"))
        return web.json_response({"now": time.monotonic(), "points": points})

    async def reset(self, request: web.Request) -> web.Response:
        """The camera's state begins anew with its next frame."""
        return await self._asked(request, "reset", self._controls.reset)

    async def rollback(self, request: web.Request) -> web.Response:
        """The bundle before the present one comes back."""
        return await self._asked(request, "rollback", self._controls.rollback)

    async def swap(self, request: web.Request) -> web.Response:
        """The body is `{"bundle": "NAME.rnnedge"}`, a file of the folder that was set for this."""
        bundle = self._bundle(await _object(request))
        return await self._asked(request, "swap", lambda camera: self._controls.swap(camera, bundle))

    async def _asked(self, request: web.Request, what: str, act: Callable[[str], None]) -> web.Response:
        camera = self._cameras.of(request).name
        log.info("web: %s of camera %r asked for by %s", what, camera, request.remote)
        # Beside the loop: whatever the runner has to do first, pictures go on.
        await asyncio.to_thread(act, camera)
        # How it went is told by a health line.
        return web.json_response({"asked": what, "camera": camera}, status=202)

    def _bundle(self, body: dict[str, Any]) -> Path:
        if self._bundles is None:
            raise web.HTTPForbidden(text="no bundle may be swapped in from here: web.bundles is not set")
        name = body.get("bundle")
        if set(body) != {"bundle"} or not isinstance(name, str):
            raise InputError('the body must be {"bundle": "NAME.rnnedge"}')
        # Chosen from what is there: no path is ever made from what was sent.
        found = {path.name: path for path in self._bundles.glob("*.rnnedge") if path.is_file()}
        if name not in found:
            raise InputError(f"bundle = {name[:100]!r}: there is none of that name in the bundles' folder")
        return found[name]


def _number(request: web.Request, name: str) -> float:
    text = request.query.get(name, "0")
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 2**53:
        raise InputError(f"{name} = {text[:40]!r}: must be a number, 0 or more")
    return number


async def _object(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="the body must be application/json")
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise InputError("the body is no JSON") from None
    if not isinstance(body, dict):
        raise InputError("the body must be a JSON object")
    return body
