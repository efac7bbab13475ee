"""What happens to every request: an id, a log line, a count, a size limit, safe headers.

Plain ASGI: nothing here buffers an answer, so event streams pass through.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from business_api import auditing
from business_api.deps import client_address
from business_api.problems import http_answer
from foundation import fence
from foundation.ids import new_ulid

log = structlog.get_logger()

SECONDS = Histogram(
    "http_request_seconds",
    "From the first byte of a request to the last byte of its answer.",
    ["operation", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FAILURES = Counter("http_unexpected_errors_total", "Requests that ended in a bug of ours.")

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROBES: Final = frozenset({"live", "ready", "metrics"})
_ACCEPTED_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_HSTS: Final = "max-age=31536000"


class Edge:
    """The outermost layer. What it does not know, it turns into a 500 problem, logged once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        auditing.address.set(client_address(HTTPConnection(scope)))
        began = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, scope, request_id)
            await send(message)

        try:
            with fence.none():  # what an endpoint puts up ends with its request
                await self._app(scope, receive, answer)
        except ClientDisconnect:
            status = status or 499
        except Exception:
            FAILURES.inc()
            log.exception("http.request.failed", path=scope["path"][:200])
            # Once an answer has begun it cannot be changed: it ends short, and uvicorn
            # closes the connection, which is how the caller notices.
            if status == 0:
                await http_answer(500, HTTPConnection(scope))(scope, receive, answer)
        finally:
            _count(scope, status or 499, time.perf_counter() - began)


class Limit(NamedTuple):
    """Of a request body: bytes, and seconds until all of it is there."""

    most: int
    seconds: float = 30


class BodyLimit:
    """Refuses a request body that is, or becomes, too long (413), or late (408).

    Args:
        app: the next layer.
        limit: in general.
        under: path prefix -> limit, where it is something else.
    """

    def __init__(
        self, app: ASGIApp, limit: Limit, under: Mapping[str, Limit] = MappingProxyType({})
    ) -> None:
        self._app = app
        self._limit = limit
        self._under = under

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        limits = (limit for prefix, limit in self._under.items() if path.startswith(prefix))
        most, seconds = next(limits, self._limit)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > most:
            too_large = http_answer(413, HTTPConnection(scope), headers={"Connection": "close"})
            await too_large(scope, receive, send)
            return
        read, complete = 0, False
        deadline = asyncio.get_running_loop().time() + seconds

        async def limited() -> Message:
            nonlocal read, complete
            if complete:  # what comes now is that the client has gone, whenever that may be
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, headers={"Connection": "close"}) from None
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if read > most:
                    raise HTTPException(413, headers={"Connection": "close"})
            return message

        await self._app(scope, limited, send)


def _request_id(headers: Headers) -> str:
    """The caller's own id when it looks like one, so that logs of both sides can be joined."""
    given = headers.get("x-request-id", "")
    return given if _ACCEPTED_ID.fullmatch(given) else new_ulid()


def _add_headers(message: Message, scope: Scope, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = request_id
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if scope.get("scheme") == "https":
        headers.setdefault("Strict-Transport-Security", _HSTS)
    headers.setdefault("Cache-Control", "no-store")


def _count(scope: Scope, status: int, seconds: float) -> None:
    """One histogram sample, and one line without the query, which may hold what is private."""
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    operation = _operation(scope)
    SECONDS.labels(operation, method, _status_class(status)).observe(seconds)
    write = log.debug if operation in _PROBES else log.info
    write(
        "http.request.served",
        method=method,
        path=scope["path"][:200],
        status=status,
        ms=round(seconds * 1000, 1),
        address=client_address(HTTPConnection(scope)),
    )


def _operation(scope: Scope) -> str:
    """The route's operation id: a closed set, however many addresses are tried."""
    return getattr(scope.get("route"), "operation_id", None) or "unmatched"


def _status_class(status: int) -> Literal["1xx", "2xx", "3xx", "4xx", "5xx"]:
    classes: tuple[Literal["1xx", "2xx", "3xx", "4xx", "5xx"], ...]
    classes = ("1xx", "2xx", "3xx", "4xx", "5xx")
    return classes[min(max(status // 100, 1), 5) - 1]
