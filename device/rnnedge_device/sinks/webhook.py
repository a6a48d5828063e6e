"""Lines to an HTTP server, one request each, until it takes them."""

import hashlib
import hmac
import logging
import math
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal, get_args
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator

from rnnedge_device.errors import InputError
from rnnedge_device.extras import load_extra
from rnnedge_device.sinks.backlog import MemoryBacklog
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.sinks.encode import to_json
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.options import Above, Queue, SinkOptions
from rnnedge_device.sinks.secret import read_secret
from rnnedge_device.sinks.spool import Spool
from rnnedge_device.sinks.worker import RefusedError, WorkerSink

_Kind = Literal["event", "caption", "health"]
# These speak of the line itself. All others (a server that is down, a wrong token or path) pass when someone mends it.
_REFUSALS = (400, 406, 411, 413, 414, 415, 422, 431)
_BUSY = (429, 503)
_BODY = 1 << 16  # bytes of an answer that are read, for the sake of the connection


class WebhookOptions(SinkOptions):
    """A section `[[webhook]]`.

    Args:
        url: where to POST, `http` or `https`.
        events: which lines to send.
        secret_file: of the key that signs the requests; "" for none.
        ca: a file of the certificates to trust; "" for the system's.
        queue: lines that wait at most.
        spool: a file in which they wait, through a crash of the runner; "" for memory.
        timeout_s: for connecting, and for the answer.
        retry_s: longest wait between two attempts, if the server names no other.
    """

    url: str
    events: Annotated[list[_Kind], Field(min_length=1, default_factory=lambda: list(get_args(_Kind)))]
    secret_file: str = ""
    ca: str = ""
    queue: Queue = 1_000
    spool: str = ""
    timeout_s: Above = 10.0
    retry_s: Above = 30.0

    @field_validator("url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("must be an address such as https://example.org/hook")
        return url


class Webhook(WorkerSink):
    """Each line POSTed as JSON, in order, the next when the one before was taken (an answer of 2xx).

    The promise: every line of the kinds `events` is delivered at least once and in order, or counted as lost: when
    more than `queue` wait the oldest, and what the server says it will never take (400, 406, 411, 413, 414, 415,
    422, 431). Twice comes only what was answered too late or not at all: `id`, also the header `Idempotency-Key`,
    tells. With `spool` a line waits on disk from within milliseconds of `put`, and outlives the process.

    With a secret the header `X-Rnnedge-Signature` is `sha256=` and the HMAC of `X-Rnnedge-Timestamp`, a dot and the
    body; a receiver compares it and refuses old times.

    Raises:
        InputError: httpx is missing, or a file of the options cannot be used.

    Example:
        with Webhook(WebhookOptions(url="https://example.org/hook", spool="hook.spool")) as sink:
            sink.put(message)
    """

    def __init__(self, options: WebhookOptions, name: str = "webhook") -> None:
        self._httpx = load_extra("httpx", "webhook")
        # It would write every address to the log, with whatever secret is in it.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._options = options
        self._secret = read_secret(options.secret_file, f"{name}: secret_file") if options.secret_file else ""
        try:
            trust: Any = ssl.create_default_context(cafile=options.ca) if options.ca else True
        except OSError as problem:
            raise InputError(f"{name}: ca = {options.ca!r}: cannot be used: {problem}") from None
        # Nothing from the environment: a service acts on its config alone.
        self._client = self._httpx.Client(timeout=options.timeout_s, verify=trust, trust_env=False)
        self._asked_s = 0.0  # how long the server asked to be left alone
        backlog = Spool(options.spool, options.queue) if options.spool else MemoryBacklog(options.queue)
        super().__init__(name, backlog, options.events, Backoff(min(1.0, options.retry_s), options.retry_s))
        self.start()

    def deliver(self, messages: Sequence[Message]) -> int:
        line = messages[0].line
        body = to_json(line)
        headers = {"Content-Type": "application/json", "User-Agent": "rnnedge"}
        if "id" in line:
            # A header is ASCII, a camera's name need not be.
            headers["Idempotency-Key"] = quote(str(line["id"]), safe=" !#$&'()*+,/:;=?@[]~")
        if self._secret:
            headers.update(signature(self._secret, body, int(time.time())))
        self._asked_s, status = 0.0, 0
        begin = time.monotonic()
        try:
            with self._client.stream("POST", self._options.url, content=body, headers=headers) as answer:
                status = answer.status_code
                self._asked_s = (
                    _retry_after(answer.headers.get("Retry-After", "")) if status in _BUSY else 0.0
                )
                size = 0
                for part in answer.iter_raw():
                    size += len(part)
                    if size > _BODY or time.monotonic() - begin > self._options.timeout_s:
                        break
        except self._httpx.TransportError as problem:
            if not status:  # else it has said what counts
                # Without the address, which may hold a token.
                raise ConnectionError(f"{type(problem).__name__}: {problem}") from None
        if status in _REFUSALS:
            raise RefusedError(f"the server refused a line: HTTP {status}")
        if not 200 <= status < 300:
            raise ConnectionError(f"the server answered HTTP {status}")
        return 1

    def wait_s(self) -> float:
        return max(super().wait_s(), self._asked_s)

    def release(self) -> None:
        self._client.close()


def signature(secret: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers that sign a request.

    Args:
        body: as it is sent.
        timestamp: seconds since 1970; it is signed too, so that an old request cannot be sent again later.
    """
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Rnnedge-Timestamp": str(timestamp), "X-Rnnedge-Signature": f"sha256={signed}"}


def _retry_after(value: str, most_s: float = 3_600.0) -> float:
    """Seconds of a header `Retry-After`: a number or a date; 0 where it makes no sense."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
            if until.tzinfo is None:  # as `-0000` is read
                until = until.replace(tzinfo=UTC)
            seconds = (until - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 0.0
    return min(most_s, max(0.0, seconds)) if math.isfinite(seconds) else 0.0
