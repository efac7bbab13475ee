"""Who lives where, and what follows from it."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from business_api.accounts import accounts
from business_api.accounts.models import Account
from device_registry.access import grants
from foundation.models import AuditEvent
from tests.business_api.conftest import PASSWORD, Api, Estate, bearer

NEW = {"username": "zhang", "name": "张三", "password": PASSWORD}


async def add(api: Api, park: Estate, house: Any, body: dict[str, Any], **headers: str) -> Any:
    path = f"/v1/houses/{house.id}/residents"
    return await api.client.post(path, json=body, headers=park.headers | headers)


async def may_open(account_id: UUID, *places: UUID) -> list[bool]:
    return [bool(await grants.remote(account_id, place)) for place in places]


async def test_a_new_resident_may_open_the_way_home(api: Api, park: Estate) -> None:
    answer = await add(api, park, park.flat, NEW)
    assert answer.status_code == 201, answer.text
    zhang = await accounts.find("zhang")
    assert answer.json() == {
        "account_id": str(zhang.id),
        "house_id": str(park.flat.id),
        "username": "zhang",
        "name": "张三",
        "disabled": False,
    }
    way = (park.id, park.tower.id, park.unit.id, park.villa.id)
    assert await may_open(zhang.id, *way) == [True, True, True, False]
    (grant,) = await grants.remote(zhang.id, park.unit.id)
    assert grant.house_id == park.flat.id

    tokens = await api.tokens("zhang")
    headers = bearer(tokens["access_token"])
    mine = (await api.client.get("/v1/me/houses", headers=headers)).json()
    assert [house["id"] for house in mine["items"]] == [str(park.flat.id)]
    assert mine["total"] == 1


async def test_a_resident_of_two_houses(api: Api, park: Estate) -> None:
    zhang = (await add(api, park, park.flat, NEW)).json()["account_id"]
    answer = await add(api, park, park.home, {"account_id": zhang})
    assert answer.status_code == 201
    account_id = UUID(zhang)
    assert await may_open(account_id, park.tower.id, park.villa.id) == [True, True]
    assert len(await grants.remote(account_id, park.id)) == 2

    path = f"/v1/houses/{park.flat.id}/residents/{zhang}"
    assert (await api.client.delete(path, headers=park.headers)).status_code == 204
    assert (await api.client.delete(path, headers=park.headers)).status_code == 404
    way = (park.tower.id, park.unit.id, park.villa.id, park.id)
    assert await may_open(account_id, *way) == [False, False, True, True]
    assert await Account.exists(id=account_id)


async def test_added_and_removed_are_audited(api: Api, park: Estate) -> None:
    zhang = (await add(api, park, park.flat, NEW)).json()["account_id"]
    path = f"/v1/houses/{park.flat.id}/residents/{zhang}"
    await api.client.delete(path, headers=park.headers)
    lines = await AuditEvent.filter(object=f"house/{park.flat.id}").order_by("seq")
    assert [line.action for line in lines] == ["resident.add", "resident.remove"]
    for line in lines:
        assert line.actor == f"account/{park.admin.id}"
        assert line.community_id == park.id
        assert line.facts == {"account": zhang}


async def test_residents_of_a_house_are_paged(api: Api, park: Estate) -> None:
    for n in range(3):
        account = await api.account(f"resident{n}", park.community)
        await add(api, park, park.flat, {"account_id": str(account.id)})
    path = f"/v1/houses/{park.flat.id}/residents"
    first = (await api.client.get(f"{path}?size=2", headers=park.headers)).json()
    second = (await api.client.get(f"{path}?size=2&page=2", headers=park.headers)).json()
    names = [row["username"] for row in first["items"] + second["items"]]
    assert names == ["resident0", "resident1", "resident2"]
    assert first["total"] == second["total"] == 3


async def test_twice_in_the_same_house(api: Api, park: Estate) -> None:
    zhang = (await add(api, park, park.flat, NEW)).json()["account_id"]
    again = await add(api, park, park.flat, {"account_id": zhang})
    assert again.status_code == 409
    assert again.json()["type"] == "/problems/resident-there"


async def test_nothing_is_left_of_a_failure(api: Api, park: Estate) -> None:
    answer = await api.client.post(
        f"/v1/houses/{uuid4()}/residents", json=NEW, headers=park.headers
    )
    assert answer.status_code == 404
    assert not await Account.exists(username="zhang")


async def test_a_repeated_request_makes_one_account(api: Api, park: Estate) -> None:
    answers = [await add(api, park, park.flat, NEW, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert PASSWORD not in answers[0].text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "ADMIN"}, "username-taken"),
        ({"username": "a b"}, "bad-username"),
        ({"username": "x"}, "bad-username"),
        ({"password": "short"}, "weak-password"),
        ({"password": "x" * 129}, "invalid-request"),
        ({"name": ""}, "invalid-request"),
        ({"kind": "community_admin"}, "invalid-request"),
        ({"community_id": str(uuid4())}, "invalid-request"),
    ],
)
async def test_accounts_that_cannot_be_made(
    api: Api, park: Estate, change: dict[str, str], code: str
) -> None:
    answer = await add(api, park, park.flat, NEW | change)
    assert answer.json()["type"] == f"/problems/{code}"
    assert answer.status_code in (409, 422)
    assert await Account.all().count() == 1


async def test_only_residents_of_this_community_can_be_moved_in(
    api: Api, park: Estate, elsewhere: Estate
) -> None:
    stranger = await api.account("stranger", elsewhere.community)
    for account_id in (stranger.id, park.admin.id, uuid4()):
        answer = await add(api, park, park.flat, {"account_id": str(account_id)})
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/no-such-account"
    foreign = await add(api, park, elsewhere.flat, NEW)
    assert foreign.status_code == 404
    path = f"/v1/houses/{elsewhere.flat.id}/residents/{stranger.id}"
    assert (await api.client.delete(path, headers=park.headers)).status_code == 404


async def test_residents_add_nobody(api: Api, park: Estate) -> None:
    await api.account("zhang", park.community)
    headers = await api.headers("zhang")
    path = f"/v1/houses/{park.flat.id}/residents"
    assert (await api.client.get(path, headers=headers)).status_code == 403
    assert (await api.client.post(path, json=NEW, headers=headers)).status_code == 403


async def test_a_disabled_resident_opens_nothing(api: Api, park: Estate) -> None:
    zhang = UUID((await add(api, park, park.flat, NEW)).json()["account_id"])
    await accounts.disable(api.context, "platform", zhang)
    answer = await add(api, park, park.home, {"account_id": str(zhang)})
    assert answer.json()["disabled"] is True
    for place in (park.unit.id, park.villa.id):
        (grant,) = await grants.remote(zhang, place)
        assert grant.suspended
    await accounts.enable(api.context, "platform", zhang)
    (grant,) = await grants.remote(zhang, park.unit.id)
    assert not grant.suspended
