"""Hands the site to phones, over HTTPS, until it is stopped."""

import asyncio
import ssl
from pathlib import Path

from aiohttp import web

from rnnedge_device.phones.certificate import Certificate
from rnnedge_device.phones.site import HEADERS, SiteFile
from rnnedge_device.web.listener import open_socket, tls_context
from rnnedge_device.web.options import WebOptions

_MOST = 1024  # bytes of a request's body: there is no need for any
AUTHORITY = "/rnnedge.crt"


def application(files: dict[str, SiteFile], certificate: Certificate | None) -> web.Application:
    """Answers GET and HEAD for the files, and nothing else: an address that is not in the list is not there.

    Args:
        files: by their addresses, as `site.read_site` gives them.
        certificate: one that was made here can be fetched, to be installed on the phone.
    """
    app = web.Application(client_max_size=_MOST)

    async def answer(request: web.Request) -> web.StreamResponse:
        path = "/index.html" if request.path == "/" else request.path
        if certificate is not None and certificate.made and path == AUTHORITY:
            return web.Response(
                body=certificate.cert.read_bytes(),
                headers={**HEADERS, "Content-Type": "application/x-x509-ca-cert"},
            )
        known = files.get(path)
        if known is None:
            return web.Response(status=404, text="not here\n", headers=HEADERS)
        headers = {**HEADERS, "Content-Type": known.type, "ETag": known.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == known.tag:
            return web.Response(status=304, headers=headers)
        if known.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=known.packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=known.data, headers=headers)

    app.router.add_get("/{path:.*}", answer)
    return app


class PhoneServer:
    """Listens from the start; serves in `run`.

    Args:
        files: see `application`.
        host, port: where to listen; port 0: the system chooses one.
        certificate: None for plain HTTP, which browsers take as secure at localhost only.

    Raises:
        InputError: the port is in use or may not be used, or the certificate cannot be used.
    """

    def __init__(
        self, files: dict[str, SiteFile], host: str, port: int, certificate: Certificate | None
    ) -> None:
        # Anyone may look: there is no token here, and nothing but the site's files.
        options = WebOptions.model_construct(
            host=host, port=port, cert=certificate and certificate.cert, key=certificate and certificate.key
        )
        self._tls: ssl.SSLContext | None = tls_context(options)
        self._socket = open_socket(options)
        self._app = application(files, certificate)
        self.port: int = self._socket.getsockname()[1]

    async def run(self) -> None:
        """Serve until cancelled."""
        runner = web.AppRunner(self._app, access_log=None, keepalive_timeout=20, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket, ssl_context=self._tls).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def default_folder() -> Path:
    """Where this machine's own certificate is kept."""
    return Path.home() / ".local" / "share" / "rnnedge"
