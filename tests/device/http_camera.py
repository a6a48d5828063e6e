"""A real camera in the network: an HTTP server that streams JPEG pictures, and does what a test tells it to."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def moving(width: int = 64, height: int = 48) -> Iterator[bytes]:
    """Pictures for ever, none like the one before."""
    number = 0
    while True:
        image = np.full((height, width, 3), 60, np.uint8)
        image[:, number % width] = 255
        image[number % height] = 200
        yield jpeg(image)
        number += 1


class HttpCamera:
    """A context manager: the camera is on.

    Args:
        pictures: called for each connection; what it yields is sent as a picture each, at `fps`; its end ends the
            connection, and `None` sends nothing and keeps it open.
    """

    def __init__(
        self, pictures: Callable[[], Iterator[bytes | None]], fps: float = 50.0, port: int = 0
    ) -> None:
        self.connections = 0
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.connections += 1
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                for picture in pictures():
                    if camera.off.is_set():
                        break
                    if picture is not None:
                        head = (
                            f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                        )
                        try:
                            self.wfile.write(head.encode() + picture + b"\r\n")
                        except OSError:
                            return
                    if fps:
                        time.sleep(1 / fps)

            def log_message(self, *about: Any) -> None:
                pass

        self.off = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/stream.mjpg"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "HttpCamera":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.off.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
