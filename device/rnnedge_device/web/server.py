"""The web server: a thread and an event loop of its own, beside the pipeline."""

import asyncio
import contextlib
import logging
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from aiohttp import web

from rnnedge_device.web.api import Api
from rnnedge_device.web.cameras import Cameras
from rnnedge_device.web.guard import Guard
from rnnedge_device.web.listener import Listener, open_socket, tls_context
from rnnedge_device.web.live import LiveView
from rnnedge_device.web.metrics import Metrics
from rnnedge_device.web.options import WebOptions
from rnnedge_device.web.pages import Pages
from rnnedge_device.web.ports import Controls, Status
from rnnedge_device.web.replies import Handler, replies
from rnnedge_device.web.streams import Streams

log = logging.getLogger(__name__)
CONNECTIONS = 64  # at a time
BODY = 4096  # bytes of a request's body at most


class WebServer:
    """The page, the API, pictures, `/healthz` and `/metrics` of a runner. A context manager.

    Args:
        options: where to listen, and who may look.
        view: the sink that is shown; the runner puts into it.
        status: the runner's.
        controls: what the page's buttons and the API's POST requests call.
        patience_s: how long a connection may hang before it is cut off.

    Raises:
        InputError: a token file or certificate that cannot be used.

    Example:
        view = LiveView()
        with WebServer(WebOptions(port=8080), view, status, controls) as server:
            print(server.url)
            run_pipelines(sinks=[view])
    """

    def __init__(
        self,
        options: WebOptions,
        view: LiveView,
        status: Status,
        controls: Controls,
        patience_s: float = 20.0,
    ) -> None:
        self._options, self._view, self._controls = options, view, controls
        self._patience_s = patience_s
        self._cameras = Cameras(status, view)
        self._guard, self._tls = Guard(options), tls_context(options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    def start(self) -> None:
        """Listen, and answer from a thread of its own; returns when the port is open.

        Raises:
            InputError: the port is in use, or the address is none of this machine's.
        """
        listening = open_socket(self._options)
        host, port = listening.getsockname()[:2]
        self.url = f"http{'s' if self._tls else ''}://{f'[{host}]' if ':' in host else host}:{port}/"
        if not self._options.loopback and self._tls is None:
            log.warning("web: %s is not encrypted: whoever can read the network can read the token", self.url)
        started = Future[None]()
        # A daemon: a runner that forgets to stop it still ends.
        self._thread = threading.Thread(target=self._run, args=(listening, started), name="web", daemon=True)
        self._thread.start()
        started.result()
        log.info("web: %s", self.url)

    def stop(self, deadline_s: float = 5.0) -> None:
        """Close the port and end all connections. Harmless when called again."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(deadline_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _run(self, listening: socket.socket, started: "Future[None]") -> None:
        try:
            asyncio.run(self._serve(listening, started))
        except Exception as problem:
            # The pipeline goes on without a view.
            listening.close()
            log.exception("web: the server has ended")
            if not started.done():
                started.set_exception(problem)

    async def _serve(self, listening: socket.socket, started: "Future[None]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(1, thread_name_prefix="web-pictures") as pool:
            app = web.Application(client_max_size=BODY)
            # Nothing is logged of a request: neither its headers nor a body may come into a log.
            quiet = logging.getLogger(f"{__name__}.protocol")
            quiet.disabled = True
            runner = web.AppRunner(
                app,
                access_log=None,
                logger=quiet,
                auto_decompress=False,
                keepalive_timeout=0.75 * self._patience_s,
                shutdown_timeout=1.0,
            )
            listener = Listener(listening, self._tls, CONNECTIONS, self._patience_s)
            streams = Streams(self._cameras, self._options, pool, listener)
            self._fill(app, streams, listener)
            await runner.setup()
            assert runner.server is not None
            accepting = asyncio.create_task(listener.run(runner.server))
            started.set_result(None)
            await self._stop.wait()
            accepting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await accepting
            await streams.close()
            await runner.cleanup()
            listener.abort()

    def _fill(self, app: web.Application, streams: Streams, listener: Listener) -> None:
        metrics = Metrics(
            self._cameras.snapshot, self._view, streams.figures, lambda: self._guard.attempts.wrong
        )
        api = Api(self._cameras, self._controls, metrics, self._options.bundles)
        for part in (Pages(self._guard), api, streams):
            app.add_routes(part.routes())

        @web.middleware
        async def progress(request: web.Request, handler: Handler) -> web.StreamResponse:
            listener.extend(request.protocol)
            try:
                return await handler(request)
            finally:
                listener.extend(request.protocol)

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app.middlewares.extend([progress, replies, guard])
