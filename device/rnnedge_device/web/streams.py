"""The live picture of a camera: one JPEG, or JPEGs without end (MJPEG)."""

import asyncio
import logging
import socket
from concurrent.futures import Executor
from typing import Any

from aiohttp import web

from rnnedge_device.web.broadcast import Broadcast
from rnnedge_device.web.cameras import Cameras
from rnnedge_device.web.listener import Listener
from rnnedge_device.web.options import WebOptions
from rnnedge_device.web.replies import HEADERS

log = logging.getLogger(__name__)
VIEWERS = 32  # streams at a time; each takes a connection
_BOUNDARY = "rnnedge-picture"
# A picture that does not change is sent again, so that a viewer who has gone is found out.
_REPEAT_S = 2.0
# What the kernel keeps for a slow client: little, so that what it gets is new.
_SEND_BUFFER, _DRAIN_S = 1 << 16, 0.01


class Streams:
    """Routes for pictures.

    A viewer is sent the newest picture each time the one before has gone out. A slow one so gets fewer of them, keeps
    none waiting, and costs no more memory than one picture.
    """

    def __init__(self, cameras: Cameras, options: WebOptions, pool: Executor, listener: Listener) -> None:
        self._cameras, self._options, self._pool, self._listener = cameras, options, pool, listener
        self._broadcasts: dict[str, Broadcast] = {}
        self._ending = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/cameras/{name}/picture.jpg", self.picture),
            web.get("/api/cameras/{name}/stream.mjpg", self.stream, allow_head=False),
        ]

    def figures(self) -> dict[str, tuple[int, int]]:
        """Of each camera how many look at its stream, and how many pictures were encoded."""
        return {name: (found.viewers, found.encoded) for name, found in self._broadcasts.items()}

    async def close(self) -> None:
        """End all streams."""
        self._ending.set()
        for broadcast in self._broadcasts.values():
            await broadcast.close()

    def _broadcast(self, request: web.Request) -> Broadcast:
        camera = self._cameras.of(request)
        if camera.name not in self._broadcasts:
            self._broadcasts[camera.name] = Broadcast(camera, self._pool, self._options)
        return self._broadcasts[camera.name]

    async def picture(self, request: web.Request) -> web.Response:
        """The newest one."""
        jpeg = await self._broadcast(request).newest()
        if not jpeg:
            raise web.HTTPNotFound(text="there is no picture yet")
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """`multipart/x-mixed-replace`; each part's `X-Frame` is the number of its picture."""
        broadcast = self._broadcast(request)
        if sum(found.viewers for found in self._broadcasts.values()) >= VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{VIEWERS} viewers look already; close one of them")
        response = web.StreamResponse(headers=HEADERS)
        response.headers["Content-Type"] = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        response.force_close()
        broadcast.viewers += 1
        try:
            await response.prepare(request)
            await self._send(request, response, broadcast)
        except ConnectionError:
            pass  # the viewer has gone
        except Exception:
            # Too late for another answer: this one has begun.
            log.exception("web: a stream of pictures has ended")
        finally:
            broadcast.viewers -= 1
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, broadcast: Broadcast) -> None:
        transport: Any = request.transport
        if transport is None:
            return
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        number, jpeg = 0, b""
        await response.write(f"--{_BOUNDARY}\r\n".encode())
        while not self._ending.is_set():
            try:
                number, jpeg = await asyncio.wait_for(broadcast.after(number), _REPEAT_S)
            except TimeoutError:
                if not jpeg:
                    self._listener.extend(request.protocol)
                    continue
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\nX-Frame: {number}\r\n\r\n"
            # The boundary goes with the picture, or browsers would show it when the next one comes.
            await response.write(head.encode() + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode())
            while transport.get_write_buffer_size() and not transport.is_closing():
                await asyncio.sleep(_DRAIN_S)
            self._listener.extend(request.protocol)
