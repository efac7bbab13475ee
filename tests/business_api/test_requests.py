"""What every request meets: ids, headers, limits, figures; and every route alike."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY
from starlette.requests import Request

from business_api.deps import client_address
from business_api.rate_limits import RateLimit, TooManyRequests
from foundation.health import Health
from tests.business_api.conftest import Api, Estate

PUBLIC = {
    "signIn",
    "signInSecondStep",
    "refreshSession",
    *("sendCode", "register", "signInByCode", "setPasswordByCode"),
    *("fetchFile", "fetchThumbnail"),
    *("listRegions", "getRegion"),
    "live",
    "ready",
    "metrics",
    "enrollStation",
    "deviceTime",
}
METHODS = {"get", "post", "put", "patch", "delete"}


async def test_every_operation_has_an_id_of_its_own(api: Api) -> None:
    document = api.app.openapi()
    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in METHODS
    ]
    assert len(ids) == len(set(ids))
    # FastAPI's generated ids end in the method; ours are names in camel case.
    assert [name for name in ids if not name.isalnum() or not name[0].islower()] == []


async def test_who_is_not_signed_in_gets_nowhere(api: Api) -> None:
    document = api.app.openapi()
    checked = 0
    for template, path in document["paths"].items():
        for method, operation in path.items():
            secured = bool(operation.get("security"))
            assert secured == (operation["operationId"] not in PUBLIC), operation["operationId"]
            if not secured:
                continue
            address = template
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    address = address.replace("{%s}" % parameter["name"], str(uuid4()))  # noqa: UP031
            # Also where the body is not what it should be: that is for those who may ask.
            bodies: tuple[dict[str, str] | None, ...] = (None, {})
            for body in bodies:
                answer = await api.client.request(method, address, json=body)
                assert answer.status_code == 401, (method, address, answer.text)
            assert "401" in operation["responses"]
            assert "429" in operation["responses"]
            checked += 1
    assert checked > 15


async def test_every_problem_is_documented_as_one(api: Api) -> None:
    document = api.app.openapi()
    assert "HTTPValidationError" not in json.dumps(document)
    assert document["components"]["securitySchemes"]["access"]["scheme"] == "bearer"
    for path in document["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if status >= "400" and operation["operationId"] != "ready":
                    assert "application/problem+json" in answer["content"], operation
    served = await api.client.get("/openapi.json")
    assert served.json() == document


async def test_request_ids(api: Api) -> None:
    generated = (await api.client.get("/healthz")).headers["x-request-id"]
    assert len(generated) == 26
    for given, kept in (
        ("my-own.request_1", True),
        ("short", False),
        ("x" * 65, False),
        ("a\"b'c<d>e", False),
    ):
        answer = await api.client.get("/healthz", headers={"X-Request-Id": given})
        assert (answer.headers["x-request-id"] == given) is kept


async def test_one_line_for_every_request_without_its_query(api: Api, park: Estate) -> None:
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as logs:
        await api.client.get("/v1/houses?search=secret-thing", headers=park.headers)
    (line,) = [line for line in logs if line["event"] == "http.request.served"]
    assert line["path"] == "/v1/houses"
    assert line["status"] == 200
    assert line["method"] == "GET"
    assert line["account"] == str(park.admin.id)
    assert len(line["request_id"]) == 26
    assert "secret-thing" not in str(logs)
    assert park.headers["Authorization"].split()[1] not in str(logs)


async def test_headers_of_every_answer(api: Api, park: Estate) -> None:
    for path in ("/healthz", "/v1/me", "/nothing"):
        headers = (await api.client.get(path, headers=park.headers)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://linli.test") as client:
        headers = (await client.get("/healthz")).headers
        assert "max-age" in headers["strict-transport-security"]


async def test_a_body_over_the_limit(api: Api) -> None:
    most = api.context.settings.http.max_body
    answer = await api.client.post("/v1/auth/login", content=b"x" * (most + 1))
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/body-too-large"

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(most // 65536 + 1):
            yield b" " * 65536

    answer = await api.client.post(
        "/v1/auth/login", content=pieces(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    lying = {"Content-Type": "application/json", "Content-Length": "10"}
    answer = await api.client.post("/v1/auth/login", content=pieces(), headers=lying)
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "9" * 400])
async def test_a_strange_content_length(api: Api, length: str) -> None:
    answer = await api.client.post("/v1/auth/login", headers={"Content-Length": length})
    assert answer.status_code in (413, 422)


async def test_requests_are_counted_by_operation(api: Api, park: Estate) -> None:
    def count(**labels: str) -> float:
        return REGISTRY.get_sample_value("http_request_seconds_count", labels) or 0

    known = {"operation": "getHouse", "method": "GET", "status": "4xx"}
    other = {"operation": "unmatched", "method": "OTHER", "status": "4xx"}
    before = count(**known), count(**other)
    for _ in range(2):
        await api.client.get(f"/v1/houses/{uuid4()}", headers=park.headers)
    await api.client.request("BREW", f"/coffee/{uuid4()}")
    assert (count(**known), count(**other)) == (before[0] + 2, before[1] + 1)


async def test_too_many_requests_of_one_account(api: Api, park: Estate, elsewhere: Estate) -> None:
    api.app.state.requests_per_account = RateLimit(3)
    codes = [(await api.client.get("/v1/me", headers=park.headers)).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    refused = await api.client.get("/v1/me", headers=park.headers)
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert (await api.client.get("/v1/me", headers=elsewhere.headers)).status_code == 200


def test_rate_limit_in_bounded_memory() -> None:
    now = 0.0
    limit = RateLimit(60, keys=3, now=lambda: now)
    for _ in range(60):
        limit.take("a")
    with pytest.raises(TooManyRequests) as refused:
        limit.take("a")
    assert refused.value.facts == {"retry_after": 1}
    now = 1.0
    limit.take("a")
    with pytest.raises(TooManyRequests):
        limit.take("a")
    for key in ("b", "c", "d"):
        limit.take(key)
    assert len(limit._whole_at) == 3
    now = 100.0
    for _ in range(60):
        limit.take("b")
    with pytest.raises(TooManyRequests):
        limit.take("b")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["garbage"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
    ],
)
async def test_address_behind_proxies(
    api: Api, peer: str, forwarded: list[str], expected: str
) -> None:
    settings = api.context.settings
    http = settings.http.model_validate({"trusted_proxies": ["10.0.0.0/8"]})
    api.context.settings = settings.model_copy(update={"http": http})
    scope = {
        "type": "http",
        "app": api.app,
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }
    assert client_address(Request(scope)) == expected


async def test_ready_says_what_is_wrong(api: Api) -> None:
    async def broken() -> str | None:
        return "no such broker"

    assert (await api.client.get("/readyz")).json() == {"status": "ready", "trouble": {}}
    api.context.health = Health({"broker": broken})
    answer = await api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not_ready", "trouble": {"broker": "no such broker"}}
    assert (await api.client.get("/healthz")).status_code == 200


async def test_metrics_are_for_this_machine_or_a_token(api: Api) -> None:
    answer = await api.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "http_request_seconds_bucket" in answer.text

    proxied = await api.client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    assert proxied.status_code == 403
    far = httpx.ASGITransport(api.app, client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=far, base_url="http://linli.test") as client:
        assert (await client.get("/metrics")).status_code == 403
        settings = api.context.settings.model_validate({"metrics_token": "s3cret-token"})
        api.context.settings = settings
        headers = {"Authorization": "Bearer s3cret-token"}
        assert (await client.get("/metrics", headers=headers)).status_code == 200
        headers = {"Authorization": "Bearer s3cret-tokem"}
        assert (await client.get("/metrics", headers=headers)).status_code == 403
    assert (await api.client.get("/metrics")).status_code == 403
