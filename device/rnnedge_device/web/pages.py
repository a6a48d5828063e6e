"""The page and what belongs to it, read from the package once; and logging in."""

import hashlib
import html
from importlib import resources
from urllib.parse import parse_qs

from aiohttp import web

from rnnedge_device.web.guard import Guard

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES = ("page.html", "login.html", "page.css", "theme.css", "page.js", "chart.js", "icon.svg")
_LOGOUT = '<form id="logout" method="post" action="/logout"'
_WRONG = '<p class="wrong" role="alert"'


class Pages:
    """Routes for a fixed list of files. No path is made from a request, so none can lead elsewhere."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        folder = resources.files("rnnedge_device.web") / "page"
        self._files = {name: (folder / name).read_bytes() for name in _FILES}

    def routes(self) -> list[web.RouteDef]:
        assets = [name for name in _FILES if not name.endswith(".html")]
        return [
            web.get("/", self.page),
            web.get("/login", self.login_form),
            web.post("/login", self.login),
            web.post("/logout", self.logout),
            *(web.get(f"/{name}", self.asset) for name in assets),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The view itself."""
        if self._guard.required:
            return self._file(request, "page.html", show=_LOGOUT)
        response = self._file(request, "page.html")
        self._guard.give_session(response)
        return response

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A style sheet, a script or the icon."""
        return self._file(request, request.path.lstrip("/"))

    async def login_form(self, request: web.Request) -> web.StreamResponse:
        """Where the token is typed in."""
        if not self._guard.required:
            raise web.HTTPSeeOther("/")
        return self._file(request, "login.html")

    async def login(self, request: web.Request) -> web.StreamResponse:
        """The form's `token`: a cookie and on to the page, or the form again."""
        if not self._guard.required:
            raise web.HTTPSeeOther("/")
        if request.content_type != "application/x-www-form-urlencoded":
            raise web.HTTPUnsupportedMediaType(text="the body must be application/x-www-form-urlencoded")
        body = (await request.read()).decode("ascii", "replace")
        token = parse_qs(body).get("token", [""])[0]
        try:
            if not self._guard.try_token(request, token.strip()):
                return self._file(request, "login.html", 401, _WRONG, "This is not the token.")
        except web.HTTPTooManyRequests as problem:
            return self._file(request, "login.html", 429, _WRONG, problem.text or "")
        response = web.Response(status=303, headers={"Location": "/"})
        self._guard.give_session(response)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Forget the cookie."""
        response = web.Response(status=303, headers={"Location": "/login"})
        self._guard.end_session(response)
        return response

    def _file(
        self, request: web.Request, name: str, status: int = 200, show: str = "", text: str = ""
    ) -> web.Response:
        """A file of ours; of a page the hidden element `show` is shown, with that text in it."""
        body = self._files[name]
        if show:
            body = body.replace(f"{show} hidden>".encode(), f"{show}>{html.escape(text)}".encode())
        tag = hashlib.sha256(body).hexdigest()[:16]
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
        if status == 200 and tag in {found.value for found in request.if_none_match or ()}:
            return web.Response(status=304, headers=headers)
        kind = _TYPES[name.rpartition(".")[2]]
        return web.Response(body=body, status=status, headers=headers, content_type=kind, charset="utf-8")
