"""Errors: one form for all of them, in the caller's language, with nothing secret in it."""

import importlib
import pkgutil
from collections.abc import Iterator

import asyncpg
import pytest
import structlog
from starlette.exceptions import HTTPException
from tortoise.exceptions import DBConnectionError, OperationalError

import broker
import business_api
import device_registry
import foundation
from business_api.language import preferred
from business_api.problems import STATUS, documents
from foundation.errors import DomainError, Kind
from tests.business_api.conftest import Api, Estate

ROOMS = (foundation, device_registry, broker, business_api)


def every_error() -> list[type[DomainError]]:
    for room in ROOMS:
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if ".migrations." not in module.name:
                importlib.import_module(module.name)
    return sorted(_below(DomainError), key=lambda error: error.__qualname__)


def _below(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in error.__subclasses__():
        if child.__module__.partition(".")[0] in {room.__name__ for room in ROOMS}:
            yield child
            yield from _below(child)


def test_every_kind_has_a_status() -> None:
    assert set(STATUS) == set(Kind)


def test_every_error_is_complete_and_its_code_its_own() -> None:
    errors = every_error()
    assert len(errors) > 20
    codes: dict[str, type[DomainError]] = {}
    for error in errors:
        own = {"kind", "code", "title", "title_zh"} & set(vars(error))
        if not own:
            continue  # a special case of another error, to the caller the same
        assert len(own) == 4, error
        assert error.kind in STATUS, error
        assert error.title.strip(), error
        assert any("一" <= letter <= "鿿" for letter in error.title_zh), error
        assert error.code == error.code.lower().replace("_", "-"), error
        assert codes.setdefault(error.code, error) is error, (error, codes[error.code])
        assert list(documents(error)) == [STATUS[error.kind]]


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.3, zh;q=0.5", "zh"),
        ("fr, en;q=0.5", "en"),
        ("fr", "zh"),
        ("*", "zh"),
        ("en;q=0", "zh"),
        ("en;q=x", "zh"),
        (";;,,=", "zh"),
        ("en;q=nan", "zh"),
    ],
)
def test_language(accept: str, language: str) -> None:
    assert preferred(accept) == language


async def test_every_shape_in_the_document_has_a_name_of_its_own(api: Api) -> None:
    schemas = api.app.openapi()["components"]["schemas"]
    assert [name for name in schemas if "__" in name] == [], "two classes share a name"


async def test_title_in_the_language_of_the_caller(api: Api) -> None:
    chinese = await api.client.get("/v1/me")
    english = await api.client.get("/v1/me", headers={"Accept-Language": "en-GB"})
    assert chinese.json()["title"] == "请先登录"
    assert chinese.headers["content-language"] == "zh"
    assert english.json()["title"] == "Sign in first"
    assert english.headers["vary"] == "Accept-Language"
    assert english.headers["content-type"] == "application/problem+json"
    assert english.json()["request_id"] == english.headers["x-request-id"]
    assert english.json()["instance"] == "/v1/me"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing-here", 404, "no-such-address"),
        ("GET", "/v1/nothing-here", 404, "no-such-address"),
        ("DELETE", "/v1/me", 405, "method-not-allowed"),
        ("TRACE", "/v1/me", 405, "method-not-allowed"),
    ],
)
async def test_what_http_refuses(api: Api, method: str, path: str, status: int, code: str) -> None:
    answer = await api.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{code}"


async def test_validation_says_where_and_never_what(api: Api) -> None:
    body = {"username": "admin", "password": {"oh": "hunter2hunter2"}, "pass/word~": "hunter2"}
    answer = await api.client.post("/v1/auth/login", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/invalid-request"
    assert {fault["pointer"]: fault["code"] for fault in problem["errors"]} == {
        "/body/password": "string_type",
        "/body/pass~1word~0": "extra_forbidden",
    }
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 2000, b'"' + b"\\ud800" + b'"', b"1e999"],
)
async def test_bodies_that_are_no_request(api: Api, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await api.client.post("/v1/auth/login", content=content, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("username", [r"\u0000admin", r"ad\nmin", r"\ud800", "x" * 65, ""])
async def test_usernames_that_are_none(api: Api, username: str) -> None:
    body = f'{{"username": "{username}", "password": "x"}}'
    headers = {"Content-Type": "application/json"}
    answer = await api.client.post("/v1/auth/login", content=body, headers=headers)
    assert answer.status_code == 422, answer.text


async def test_many_faults_are_not_all_told(api: Api) -> None:
    body = {f"field{n}": n for n in range(500)}
    answer = await api.client.post("/v1/auth/login", json=body)
    assert len(answer.json()["errors"]) == 50


async def test_a_bug_is_a_500_without_a_word_about_it(api: Api) -> None:
    async def broken() -> None:
        raise ZeroDivisionError("the secret of the house")

    api.app.get("/broken")(broken)
    with structlog.testing.capture_logs() as logs:
        answer = await api.client.get("/broken", headers={"X-Request-Id": "my-own-request"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/internal-error"
    assert problem["request_id"] == "my-own-request"
    assert "secret" not in answer.text
    errors = [line for line in logs if line["log_level"] == "error"]
    assert [line["event"] for line in errors] == ["http.request.failed"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("lost", "status"),
    [
        (ConnectionRefusedError(), 503),
        (asyncpg.ConnectionDoesNotExistError("in the middle"), 503),
        (asyncpg.InterfaceError("connection is closed"), 503),
        (asyncpg.InterfaceError("another operation is in progress"), 500),
        (DBConnectionError("no"), 503),
        (OperationalError("database is locked"), 503),
        (OperationalError("database or disk is full"), 503),
        (OperationalError("no such table: house"), 500),
    ],
)
async def test_the_database_is_away(api: Api, lost: Exception, status: int) -> None:
    async def ask() -> None:
        raise lost

    api.app.get("/ask")(ask)
    with structlog.testing.capture_logs():
        answer = await api.client.get("/ask")
    assert answer.status_code == status
    if status == 503:
        assert answer.json()["type"] == "/problems/database-unavailable"
        assert answer.headers["retry-after"] == "5"


async def test_an_unknown_http_error_is_a_problem_too(api: Api, park: Estate) -> None:
    async def teapot() -> None:
        raise HTTPException(418)

    api.app.get("/teapot")(teapot)
    answer = await api.client.get("/teapot")
    assert answer.status_code == 418
    assert answer.headers["content-type"] == "application/problem+json"
