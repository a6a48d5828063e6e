"""What every answer has: headers that browsers heed, and errors as JSON."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from rnnedge_device.errors import InputError

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    # No other site's page may show our pictures, not even where no token is asked for.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not "no-referrer": with that, browsers send a form without saying where it comes from.
    "Referrer-Policy": "same-origin",
    "Server": "rnnedge",  # in place of the versions of what it is made of
    "X-Content-Type-Options": "nosniff",
}


@web.middleware
async def replies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer; what it raised as `{"error": text}` with the status that belongs to it.

    Bad input is 400; a fault of ours is 500, told to the log and to nobody else.
    """
    try:
        response = await handler(request)
    except web.HTTPException as problem:
        response = _told(problem.status, problem.text or problem.reason)
        for name in ("Allow", "Location", "Retry-After", "WWW-Authenticate"):
            if name in problem.headers:
                response.headers[name] = problem.headers[name]
    except InputError as problem:
        response = _told(400, str(problem))
    except web.RequestPayloadError:
        response = _told(400, "the body is not what its head says")
        response.force_close()
    except ConnectionError:
        raise  # there is nobody left to answer
    except Exception:
        log.exception("web: %s failed", request.method)
        response = _told(500, "the server failed; its log says why")
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
    return response


def _told(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
