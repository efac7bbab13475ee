"""Every operation of `openapi.json`, asked by the wrong people and with the worst of values."""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.business_api.conftest import Api, Estate
from tests.business_api.devices.conftest import Doors

TEXTS = ("\0", "a\0b", "\ud800", "%", "'", '"; --', "\u202e", "x" * 5000, "\n", "", " ")
NUMBERS = (-1, 0, 2**31, 2**63, 2**70, 10**400, 1.5, True, None)
STRANGE: tuple[Any, ...] = (*TEXTS, *NUMBERS, [], {}, [[]] * 50)
ENDLESS = {"watchLive", "watchMessages"}
FOR_ALL = {"findBuildings", "findUnits", "findHouses"}
"""What every signed-in account may know: names of places to live in."""
AWAY = {"/problems/sign-in-busy", "/problems/wechat-off"}
"""True answers for want of time, or of a provider."""


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in api.app.openapi()["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] not in ENDLESS:
                yield method, path, operation


def body_of(api: Api, operation: dict[str, Any]) -> dict[str, Any] | None:
    """An object with every field that the operation knows."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        return None
    found: dict[str, Any] = {}
    parts = [schema]
    for part in parts:
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            parts.append(api.app.openapi()["components"]["schemas"][name])
        parts.extend(part.get("anyOf", []) + part.get("oneOf", []))
        found |= dict.fromkeys(part.get("properties", {}), "x")
    return found


async def ask(
    api: Api, method: str, path: str, headers: dict[str, str], **request: Any
) -> httpx.Response:
    if "body" in request:
        # As bytes of our own making: a client would refuse to send some of it.
        text = json.dumps(request.pop("body"))
        headers = headers | {"Content-Type": "application/json"}
        request["content"] = text
    return await api.client.request(method, path, headers=headers, **request)


@pytest.fixture
def unlimited(api: Api) -> None:
    api.app.state.requests_per_account._cost = 0


@pytest.mark.timeout(600)  # some ten thousand requests
@pytest.mark.usefixtures("unlimited")
async def test_no_value_is_more_than_a_mistake_of_the_caller(doors: Doors) -> None:
    api, headers = doors.api, doors.staff | {"If-Match": '"1"'}
    failures = []

    async def tried(method: str, path: str, **request: Any) -> None:
        shown = f"{method} {path} {str(request)[:120]!a}"
        answer = await ask(api, method, path, headers, **request)
        if answer.status_code >= 500 and answer.json()["type"] not in AWAY:
            failures.append((answer.status_code, shown))

    for method, path, operation in operations(api):
        if operation["operationId"] in ("signOut", "endSession"):
            continue
        places = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
        real = path
        for name in places:
            real = real.replace(f"{{{name}}}", str(uuid4()))
        for text in ("%00", "a%00b", "%ED%A0%80", "..%2f", "%ff", "'"):
            if places:
                await tried(method, path.replace(f"{{{places[-1]}}}", text))
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                for value in ("%00", "a%00", "%ED%A0%80", "%ff", "9" * 30, "-1", "1e9", "%27", ""):
                    await tried(method, f"{real}?{parameter['name']}={value}")
        body = body_of(api, operation)
        if body is None:
            continue
        for whole in ("[]", '"x"', "1", "null"):
            await tried(method, real, body=json.loads(whole))
        for field, strange in itertools.product(body, STRANGE):
            await tried(method, real, body=body | {field: strange})
    assert failures == []


@pytest.mark.usefixtures("unlimited")
async def test_every_operation_asks_who_calls(doors: Doors, elsewhere: Estate) -> None:
    """Nobody signed in: 401. A resident, or staff of another community: nothing of ours."""
    api = doors.api
    station, _ = await doors.station()
    community = doors.estate.community
    ours = defaultdict(lambda: str(uuid4())) | {
        "operator_id": str(community.operator_id),
        "company_id": str(community.company_id),
        "community_id": str(community.id),
        "station_id": station,
        "door_id": station,
        "house_id": str(doors.estate.flat.id),
        "building_id": str(doors.estate.tower.id),
        "unit_id": str(doors.estate.unit.id),
        "account_id": str(doors.lin_id),
        "code": "0000",
    }
    session = (await doors.get("/auth/sessions", doors.lin)).json()["items"][0]["id"]
    opening = (await doors.open(station, doors.lin)).json()["command_id"]
    ours |= {"session_id": session, "command_id": opening}
    stranger = elsewhere.headers | {"If-Match": '"1"'}
    asked = 0
    for method, path, operation in operations(api):
        name = operation["operationId"]
        if not operation.get("security"):
            continue  # the tenant matrix holds the list of them
        real = path.format_map(ours)
        assert (await ask(api, method, real, {})).status_code == 401, name
        forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
        assert (await ask(api, method, real, forged)).status_code == 401, name
        if "{" not in path or "{code}" in path or name in FOR_ALL:
            continue
        asked += 1
        body = body_of(api, operation)
        request = {} if body is None else {"body": body}
        answer = await ask(api, method, real, stranger, **request)
        assert answer.status_code in (403, 404, 409, 422), (name, answer.text)
        text = answer.text.replace(real, "")
        assert doors.estate.flat.code not in text or answer.status_code == 422, (name, text)
    assert asked > 15
    assert (await doors.get(f"/stations/{station}", doors.staff)).json()["status"] == "active"
    assert (await doors.get("/me", doors.lin)).status_code == 200
