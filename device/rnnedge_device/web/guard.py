"""Who may look and who may act: asked of every request before anything else is done with it."""

import ipaddress
import logging
import socket
from urllib.parse import urlsplit

from aiohttp import web

from rnnedge_device.web.attempts import Attempts
from rnnedge_device.web.options import WebOptions
from rnnedge_device.web.replies import Handler
from rnnedge_device.web.secret import SESSION_S, Secret

log = logging.getLogger(__name__)

# What a browser needs before anyone has logged in.
PUBLIC = frozenset({"/login", "/page.css", "/theme.css", "/icon.svg"})


class Guard:
    """Checks the host's name, the token and where a request comes from; a middleware of the server.

    Without a token file (on loopback only) everybody on this machine may look; to act takes the cookie that comes with
    the page, so that no other site's page can.

    Args:
        options: as checked.

    Raises:
        InputError: a token file that cannot be used.
    """

    def __init__(self, options: WebOptions) -> None:
        self.required = options.token_file is not None
        self.secret = Secret.read(options.token_file) if options.token_file else Secret.made()
        self.attempts = Attempts()
        name = socket.gethostname().lower()
        self._hosts = {"localhost", name, f"{name}.local", *options.hosts}
        self._secure = options.cert is not None
        self.cookie = f"rnnedge-{options.port}"  # cookies are shared by all ports of a machine

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The request's answer, or why there is none."""
        self._check_host(request)
        acting = request.method not in ("GET", "HEAD")
        if acting:
            _check_origin(request)
        if (acting or self.required) and request.path not in PUBLIC and not self._known(request):
            if not acting and request.path == "/":
                raise web.HTTPSeeOther("/login")
            raise web.HTTPUnauthorized(
                text="a token is needed: Authorization: Bearer TOKEN, or log in on the page",
                headers={"WWW-Authenticate": 'Bearer realm="rnnedge"'},
            )
        return await handler(request)

    def _known(self, request: web.Request) -> bool:
        header = request.headers.get("Authorization")
        if header is None:
            return self.secret.is_session(request.cookies.get(self.cookie, ""))
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and self.try_token(request, token.strip())

    def try_token(self, request: web.Request, token: str) -> bool:
        """Is it the token?

        Raises:
            HTTPTooManyRequests: from this address there were too many wrong ones; it was not looked at.
        """
        wait_s = self.attempts.wait_s(request.remote)
        if wait_s > 0:
            raise web.HTTPTooManyRequests(
                text=f"too many wrong tokens; try again in {wait_s:.0f} s",
                headers={"Retry-After": str(int(wait_s) + 1)},
            )
        if self.secret.is_token(token):
            return True
        self.attempts.failed(request.remote)
        log.warning("web: wrong token from %s", request.remote)
        return False

    def give_session(self, response: web.StreamResponse) -> None:
        """Let whoever gets this response act, and look, from now on."""
        response.set_cookie(
            self.cookie,
            self.secret.session(),
            max_age=SESSION_S,
            httponly=True,
            samesite="Strict",
            secure=self._secure,
        )

    def end_session(self, response: web.StreamResponse) -> None:
        response.del_cookie(self.cookie, httponly=True, samesite="Strict", secure=self._secure)

    def _check_host(self, request: web.Request) -> None:
        """Against DNS rebinding: another site's name that was made to mean this machine is not ours."""
        name = _name_of(request.headers.get("Host", ""))
        if not _is_address(name) and name not in self._hosts:
            raise web.HTTPMisdirectedRequest(
                text="this is not a name of this server; use its address, or add the name to hosts"
            )


def _name_of(host: str) -> str:
    """Of a `Host` header, without the port; "" where it makes no sense."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    # No name server can make an address mean another machine.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(request: web.Request) -> None:
    """An act must come from our own page, or from a program, which says nothing about where it comes from."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    foreign = site is not None and site != "same-origin"
    if origin is not None:
        foreign |= origin.lower().partition("://")[2] != request.headers.get("Host", "").lower()
    if foreign:
        raise web.HTTPForbidden(text="this may be asked by the server's own page only")
