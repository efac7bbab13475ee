"""The tenant matrix: every operation x every role x {own, sibling, other company}.

The operations come from the API's own document: one that is new and that nobody has told
the matrix how to call makes it fail. What should come out is computed by the same pure
function that decides (`authz.decide`), from the role, the place and the permission that the
document names; whether the operations ask it is what is shown here.

Every request runs in a transaction that is rolled back, so that each meets the same world.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from tortoise.transactions import in_transaction

from business_api.authz.decide import decide, reach
from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from tests.business_api.conftest import Api
from tests.business_api.matrix.world import PEOPLE, Where, World, world

OPEN: Final = frozenset(
    {
        *("signIn", "signInSecondStep", "refreshSession", "live", "ready", "metrics"),
        *("sendCode", "register", "signInByCode", "setPasswordByCode"),
        *("fetchFile", "fetchThumbnail"),  # by signed link
        *("listRegions", "getRegion"),  # the same for everybody, and no secret
    }
)
"""Operations that anybody may call, with what they bring along as their only proof."""

DEVICES: Final = "/device/"
"""Operations of stations, which prove themselves otherwise: `tests/business_api/devices`."""

ENDLESS: Final = frozenset({"watchLive", "watchMessages"})
"""Event streams: their tests are apart."""

STRICTER: Final[dict[str, str]] = {
    "createDictType": "lists are the platform's; an operator manages words",
    "startImport": "and the permission of the kind: house.manage",
    "importTemplate": "and the permission of the kind: house.manage",
    "importErrorWorkbook": "and the permission of the kind: it shows what stood in the rows",
    **dict.fromkeys(
        ("createAccount", "giveRole", "takeRole"), "a role is given by those above it only (BR1)"
    ),
    **dict.fromkeys(
        (
            *("editAccount", "resetPassword", "resetSecondFactor"),
            *("disableAccount", "enableAccount"),
        ),
        "an account is managed by those who could give all its roles",
    ),
}
"""Operations that refuse more than role and place say, and why."""


@dataclass(frozen=True)
class Operation:
    """One of the document."""

    id: str
    method: str
    path: str
    permission: Permission | None
    signed_in: bool
    params: tuple[str, ...]
    needs_body: bool

    @property
    def to_view(self) -> bool:
        return self.permission is not None and self.permission is self.permission.view


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            permission = told.get("x-permission")
            yield Operation(
                told["operationId"],
                method.upper(),
                path,
                Permission(permission) if permission else None,
                bool(told.get("security")),
                tuple(p["name"] for p in told.get("parameters", ()) if p["in"] == "path"),
                bool(told.get("requestBody", {}).get("required")),
            )


_REAL: Final = frozenset({409, 412, 503})
"""Answers that only who got as far as the thing itself receives."""


class _Undone(Exception):
    """Rolls a request back."""


async def ask(made: World, operation: Operation, role: Role | None, where: Where) -> httpx.Response:
    """Call an operation, and undo what it did."""
    here, ids = made.estates[where], made.ids[where]
    headers = dict(made.headers[role])
    body = made.bodies.get(operation.id)
    query = made.queries.get(operation.id)
    sent: dict[str, Any] = {"params": query(here, ids) if query else None}
    if body is not None:
        content = body(here, ids)
        if isinstance(content, bytes):
            sent["content"] = content
            if operation.id == "importBluetoothReaders":
                headers["Content-Type"] = "text/csv"
        else:
            sent["content"] = json.dumps(content)
            headers["Content-Type"] = "application/json"
    if operation.method in {"PATCH", "PUT", "DELETE"}:
        headers["If-Match"] = '"1"'
    answers: list[httpx.Response] = []

    async def request() -> None:
        url = operation.path.format(**ids)
        answers.append(
            await made.api.client.request(operation.method, url, headers=headers, **sent)
        )
        raise _Undone

    with suppress(_Undone):
        async with in_transaction():
            await request()
    return answers[0]


def expected(made: World, operation: Operation, role: Role | None, where: Where) -> set[str]:
    """Which answers are right: `yes`, `hidden` (404), `refused` (403)."""
    assert operation.permission is not None
    grants, now = made.grants[role], made.api.time()
    anywhere = not reach(grants, operation.permission, now).nowhere
    if not operation.params:
        return {"yes"} if anywhere else {"refused"}
    if not anywhere and not reach(grants, operation.permission.view, now).nowhere:
        return {"refused"}  # whatever the id: nothing was looked up
    site = made.site(list(operation.params), where)
    decision = decide(grants, operation.permission, site, now)
    if decision.allowed:
        return {"yes"}
    if (
        operation.params[-1] in made.shared
        and not reach(grants, operation.permission.view, now).nowhere
    ):
        return {"yes"} if operation.to_view else {"refused"}
    return {"refused"} if decision.visible else {"hidden"}


def got(answer: httpx.Response) -> str:
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.status_code == 403:
        return "refused"
    return "hidden" if answer.status_code == 404 else "yes"


@pytest.fixture
async def made(api: Api) -> World:
    with api.settings(requests_per_minute=1_000_000):
        api.app.state.requests_per_account.__init__(1_000_000)
        return await world(api)


async def test_every_operation_is_covered(made: World) -> None:
    missing = []
    for operation in operations(made.api.app.openapi()):
        if operation.path.startswith(DEVICES):
            continue
        unknown = [name for name in operation.params if name not in made.ids["own"]]
        if unknown and operation.id not in OPEN:
            missing.append(f"{operation.id}: nobody says what {unknown} are")
        if operation.needs_body and operation.id not in {*made.bodies, *OPEN}:
            missing.append(f"{operation.id}: nobody says what to send")
        if not operation.signed_in and operation.id not in OPEN:
            missing.append(f"{operation.id}: open to everybody, and not in OPEN")
    assert missing == []


@pytest.mark.timeout(900)
async def test_the_matrix(made: World) -> None:
    wrong, counts, served = [], Counter[str](), set[str]()
    for operation in operations(made.api.app.openapi()):
        if operation.permission is None or operation.id in ENDLESS:
            continue
        for role in PEOPLE:
            for where in ("own", "sibling", "other") if operation.params else ("own",):
                answer = await ask(made, operation, role, where)  # type: ignore[arg-type]
                result, right = got(answer), expected(made, operation, role, where)  # type: ignore[arg-type]
                counts[result] += 1
                if answer.status_code < 400 or answer.status_code in _REAL:
                    served.add(operation.id)
                if result in right:
                    continue
                if "yes" in right and operation.id in STRICTER:
                    continue
                wrong.append(
                    f"{operation.id} {operation.permission} by {role} at {where}: "
                    f"{answer.status_code}, not {right}: {answer.text[:200]}"
                )
    print(f"\ntenant matrix: {sum(counts.values())} requests, {dict(counts)}")
    assert wrong == [], "\n".join([f"{len(wrong)} wrong", *wrong])
    asked = {one.id for one in operations(made.api.app.openapi()) if one.permission is not None}
    assert asked - served - ENDLESS == set(), "nobody got through to what it does"


async def test_no_list_shows_what_is_elsewhere(made: World) -> None:
    """Whatever a role may list, no id of a place that it does not reach is in the answer."""
    leaks, asked = [], 0
    now = made.api.time()
    for operation in operations(made.api.app.openapi()):
        if operation.permission is None or operation.method != "GET" or operation.params:
            continue
        if operation.id in ENDLESS:
            continue
        for role in PEOPLE:
            answer = await ask(made, operation, role, "own")
            asked += 1
            for where in ("sibling", "other"):
                for name, value in made.ids[where].items():  # type: ignore[index]
                    if value in made.ids["own"].values() or len(value) < 8:
                        continue
                    site = made.site([name], where)  # type: ignore[arg-type]
                    if decide(made.grants[role], operation.permission, site, now).allowed:
                        continue
                    if value in answer.text:
                        leaks.append(f"{operation.id} by {role} shows {name} of {where}")
    print(f"\ntenant matrix: {asked} lists")
    assert leaks == [], "\n".join(leaks)


async def test_what_is_ones_own_is_nobody_elses(made: World) -> None:
    """Operations about the own account: with the ids of somebody else's things."""
    wrong, asked = [], 0
    for operation in operations(made.api.app.openapi()):
        if operation.permission is not None or not operation.signed_in or not operation.params:
            continue
        if operation.id in PUBLIC_TO_SIGNED_IN:
            continue
        for where in ("sibling", "other"):
            answer = await ask(made, operation, Role.TENANT, where)  # type: ignore[arg-type]
            asked += 1
            if got(answer) != "hidden":
                wrong.append(f"{operation.id} at {where}: {answer.status_code} {answer.text[:200]}")
    print(f"\ntenant matrix: {asked} requests for what is another's own")
    assert wrong == [], "\n".join(wrong)


PUBLIC_TO_SIGNED_IN: Final = frozenset({"findBuildings", "findUnits", "findHouses"})
"""Operations about what every signed-in account may know: names of places to live in."""


async def test_nobody_without_a_session_gets_anywhere(made: World) -> None:
    for operation in operations(made.api.app.openapi()):
        if not operation.signed_in:
            continue
        path = operation.path.format(
            **{name: made.ids["own"].get(name, "x") for name in operation.params}
        )
        answer = await made.api.client.request(operation.method, path)
        assert answer.status_code == 401, (operation.id, answer.text)
