"""Errors as RFC 9457 problem details. The only place that knows both errors and HTTP."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from business_api.language import Language, language_of
from foundation import db
from foundation.errors import DomainError, Kind

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[Kind, int]] = {
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.STALE: 412,
    Kind.FORBIDDEN: 403,
    Kind.UNAUTHENTICATED: 401,
    Kind.INVALID: 422,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}

# What HTTP itself refuses, before any of our code is asked: code, English, Chinese.
_HTTP: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("bad-request", "The request cannot be read", "请求无法解析"),
    404: ("no-such-address", "There is nothing at this address", "没有这个地址"),
    405: ("method-not-allowed", "This address does not take this method", "不支持此请求方法"),
    408: ("request-timeout", "The request did not arrive in time", "请求接收超时"),
    413: ("body-too-large", "The request body is too large", "请求内容过大"),
    500: ("internal-error", "Something went wrong on our side", "服务器内部错误"),
}
_MOST_ERRORS: Final = 50
_RETRY_SECONDS: Final = 5


class DatabaseUnavailable(DomainError):
    """The database does not answer."""

    kind, code, title = Kind.UNAVAILABLE, "database-unavailable", "The database does not answer"
    title_zh = "数据库暂时不可用"


class InvalidRequest(DomainError):
    """The request does not have the form that the API describes; `errors` says where."""

    kind, code, title = Kind.INVALID, "invalid-request", "The request is not valid"
    title_zh = "请求内容不正确"


class FieldError(BaseModel):
    """One fault of a request: where, in words, and as a code that programs can translate."""

    pointer: str
    detail: str
    code: str


class Problem(BaseModel):
    """Why a request failed (RFC 9457). `type` names the error; further members are facts."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | None = None
    errors: list[FieldError] | None = None


def answer(error: DomainError, connection: HTTPConnection) -> JSONResponse:
    """The response for a domain error."""
    status = STATUS[error.kind]
    title = error.title_zh if language_of(connection) == "zh" else error.title
    headers: dict[str, str] = {}
    if error.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.kind in (Kind.TOO_MANY, Kind.UNAVAILABLE):
        headers["Retry-After"] = str(error.facts.get("retry_after", _RETRY_SECONDS))
    return _response(
        connection, status, error.code, title, str(error), headers=headers, facts=error.facts
    )


def http_answer(
    status: int, connection: HTTPConnection, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The response for what HTTP itself refuses, and for our own mistakes (500)."""
    code, title, title_zh = _HTTP.get(status, _HTTP[400])
    title = title_zh if language_of(connection) == "zh" else title
    return _response(connection, status, code, title, headers=headers)


def documents(*errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides success, for its `responses=`."""
    by_status: defaultdict[int, list[type[DomainError]]] = defaultdict(list)
    for error in errors:
        by_status[STATUS[error.kind]].append(error)
    return {
        status: {
            "description": "; ".join(f"`{error.code}`: {error.title}" for error in found),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, found in by_status.items()
    }


def install(app: FastAPI) -> None:
    """Make `app` answer errors as problems. The unexpected ones are the middleware's."""
    app.exception_handler(DomainError)(_domain)
    app.exception_handler(RequestValidationError)(_validation)
    app.exception_handler(HTTPException)(_http)
    for away in db.AWAY:
        app.exception_handler(away)(_database)


async def _domain(request: Request, error: DomainError) -> JSONResponse:
    return answer(error, request)


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    return http_answer(error.status_code, request, headers=error.headers)


async def _database(request: Request, error: Exception) -> JSONResponse:
    if not db.is_away(error):
        raise error
    log.warning("database.connection.failed", error=type(error).__name__)
    return answer(DatabaseUnavailable(), request)


async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
    """422 with a pointer for each fault. What was sent is never repeated: it may be secret."""
    faults = [_fault(fault) for fault in error.errors()[:_MOST_ERRORS]]
    title = InvalidRequest.title_zh if language_of(request) == "zh" else InvalidRequest.title
    return _response(request, 422, InvalidRequest.code, title, facts={"errors": faults})


def _fault(fault: Mapping[str, Any]) -> dict[str, str]:
    return {
        "pointer": _pointer(fault["loc"]),
        "detail": str(fault["msg"])[:200],
        "code": str(fault["type"]),
    }


def _pointer(location: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901) whose first step is body, query, path or header."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in location)
    return "".join(f"/{step}" for step in steps)[:200]


def _response(
    connection: HTTPConnection,
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> JSONResponse:
    language: Language = language_of(connection)
    body = {
        **(facts or {}),  # first: a fact never stands in for a member of RFC 9457
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": connection.url.path,
        "request_id": getattr(connection.state, "request_id", None),
    }
    return JSONResponse(
        body,
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Content-Language": language, "Vary": "Accept-Language", **(headers or {})},
    )
