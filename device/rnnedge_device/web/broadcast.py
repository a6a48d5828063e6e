"""A camera's annotated pictures as JPEG: made once for all who look, and only while someone looks."""

import asyncio
import contextlib
from concurrent.futures import Executor
from typing import Any

import cv2

from rnnedge_device.classify import Prediction
from rnnedge_device.overlay import Overlay
from rnnedge_device.source import Frame
from rnnedge_device.web.camera_view import CameraView
from rnnedge_device.web.options import WebOptions


class Broadcast:
    """One for each camera; to be used in the server's event loop.

    Args:
        camera: what is shown.
        pool: where pictures are drawn and encoded: one thread, beside the loop.
        viewers: how many look now.
        encoded: pictures made so far.
    """

    def __init__(self, camera: CameraView, pool: Executor, options: WebOptions) -> None:
        self.viewers = self.encoded = 0
        self._camera, self._pool = camera, pool
        self._interval_s = 1 / options.max_fps
        self._painter = _Painter(options.max_side, options.quality)
        self._number, self._jpeg, self._due_s = 0, b"", 0.0
        self._next: asyncio.Task[None] | None = None

    async def newest(self) -> bytes:
        """The newest picture as it is now; b"" where there has been none."""
        if self._camera.number > self._number:
            await self._encode()
        return self._jpeg

    async def after(self, number: int) -> tuple[int, bytes]:
        """The newest picture whose number is above `number`, and its own number; waits for one."""
        while self._number <= number:
            if self._next is None or self._next.done():
                self._next = asyncio.create_task(self._wait_and_encode())
            # One work for all: it goes on when one of those who wait leaves.
            await asyncio.shield(self._next)
        return self._number, self._jpeg

    async def close(self) -> None:
        """End what waits for a picture."""
        if self._next is not None:
            self._next.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._next

    async def _wait_and_encode(self) -> None:
        loop, fresh = asyncio.get_running_loop(), asyncio.Event()
        await asyncio.sleep(self._due_s - loop.time())

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(fresh.set)

        self._camera.listen(tell)
        try:
            if self._camera.number <= self._number:
                await fresh.wait()
        finally:
            self._camera.ignore(tell)
        self._due_s = loop.time() + self._interval_s
        await self._encode()

    async def _encode(self) -> None:
        number, frame, prediction = self._camera.picture()
        if frame is None:
            return
        loop = asyncio.get_running_loop()
        jpeg = await loop.run_in_executor(self._pool, self._painter.jpeg, frame, prediction)
        self.encoded += 1
        if number > self._number:
            self._number, self._jpeg = number, jpeg


class _Painter:
    """Reduces, annotates and encodes; used in one thread at a time."""

    def __init__(self, max_side: int, quality: int) -> None:
        self._max_side, self._quality = max_side, quality
        # Figures of the camera are on the page; those of the overlay would be of this stream.
        self._overlay = Overlay(figures=False)

    def jpeg(self, frame: Frame, prediction: Prediction | None) -> bytes:
        picture: Any = frame.image
        scale = self._max_side / max(picture.shape[:2])
        if scale < 1:
            # Before the texts are drawn: they stay readable.
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if prediction is not None:
            picture = self._overlay(picture, prediction)
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1].tobytes()
