"""`/v1/residents`, `/v1/occupancies`: who lives where, for staff and for a household."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from business_api.authz.roles import Role
from business_api.people import consents, persons
from business_api.people.consent_texts import Purpose
from business_api.people.models import Person
from business_api.people.persons import NewPerson
from business_api.places.models import House
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from business_api.tenancy import place
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate
from tests.business_api.residents.test_moves import BY, DAY, opens, resident
from tests.support.statements import statements

NUMBER = "11010519491231002X"
AGREED = consents.current(Purpose.ID_NUMBER)
ZHANG = {
    "name": "张三",
    "phone": "13800138000",
    "id_type": "resident_id",
    "id_number": NUMBER,
    "consents": [{"purpose": "id_number", "version": AGREED.version}],
}


async def move_in(api: Api, park: Estate, house: House, body: dict[str, Any], **more: str) -> Any:
    path = f"/v1/houses/{house.id}/residents"
    return await api.client.post(path, json=body, headers=park.headers | more)


async def listed(api: Api, headers: dict[str, str], **query: Any) -> Any:
    answer = await api.client.get("/v1/residents", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_somebody_new_moves_in(api: Api, park: Estate) -> None:
    body = {"person": ZHANG, "type": "owner", "landline": "010-62345678"}
    answer = await move_in(api, park, park.flat, body, **{"Idempotency-Key": "1"})
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    told = {
        "house_name": "1号楼 1单元 0101",
        "name": "张三",
        "phone": "138****8000",
        "id_number": "1101**********002X",
        "landline": "106****5678",
        "type": "owner",
        "state": "live",
        "call_order": 1,
        "valid_to": None,
        "has_account": False,
        "version": 1,
    }
    assert {name: shown[name] for name in told} == told | {"landline": shown["landline"]}
    assert shown["landline"].endswith("****5678")
    again = await move_in(api, park, park.flat, body, **{"Idempotency-Key": "1"})
    assert again.json() == shown
    twice = await move_in(api, park, park.flat, body)
    assert twice.json()["type"] == "/problems/resident-there"
    # He is known now, and in the other house he is the same.
    other = await move_in(api, park, park.home, {"person": ZHANG, "type": "tenant"})
    assert other.json()["person_id"] == shown["person_id"]
    (line,) = await AuditEvent.filter(object=f"occupancy/{shown['id']}")
    assert "张三" not in str(line.facts)

    path = f"/v1/occupancies/{shown['id']}/reveal"
    call = {"reason": "联系住户"}
    clear = await api.client.post(path, json=call, headers=park.headers)
    assert clear.json() == {"value": "+861062345678"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"person": None}, "invalid-request"),
        ({"person_id": str(uuid4())}, "invalid-request"),
        ({"type": "neighbour"}, "invalid-request"),
        ({"type": None}, "invalid-request"),
        ({"valid_from": "2026-01-01T00:00:00"}, "invalid-request"),
        ({"valid_from": "1800-01-01T00:00:00Z"}, "bad-validity"),
        ({"valid_to": "2001-01-01T00:00:00Z"}, "bad-validity"),
        ({"valid_to": "9999-12-31T23:59:59-14:00"}, "bad-validity"),
        ({"valid_from": "0001-01-01T00:00:00+14:00"}, "bad-validity"),
        ({"call_order": 0}, "invalid-request"),
        ({"call_order": 10**30}, "invalid-request"),
        ({"landline": "000"}, "bad-phone"),
        ({"house_id": str(uuid4())}, "invalid-request"),
        ({"person": ZHANG | {"consents": []}}, "consent-needed"),
        ({"person": ZHANG | {"id_number": "110105194912310021"}}, "bad-id-number"),
        ({"person": ZHANG | {"name": "张\x00三"}}, "invalid-request"),
        ({"person": ZHANG | {"account_id": str(uuid4())}}, "invalid-request"),
    ],
)
async def test_moves_that_cannot_be(
    api: Api, park: Estate, change: dict[str, Any], code: str
) -> None:
    answer = await move_in(api, park, park.flat, {"person": ZHANG, "type": "owner"} | change)
    assert answer.json()["type"] == f"/problems/{code}", answer.text
    for secret in ("13800138000", NUMBER, "张"):
        assert secret not in answer.text
    assert not await Occupancy.all().exists()
    assert not await Person.all().exists()


async def test_nobody_of_another_community_moves_in(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate
) -> None:
    for estate in (sibling, elsewhere):
        person = await persons.create(api.context, BY, estate.site, NewPerson("李四"))
        body = {"person_id": str(person.id), "type": "owner"}
        answer = await move_in(api, park, park.flat, body)
        assert answer.json()["type"] == "/problems/no-such-person"
        body = {"person": {"name": "王五"}, "type": "owner"}
        answer = await move_in(api, park, estate.flat, body)
        assert answer.json()["type"] == "/problems/no-such-house"
    # Staff of both may see the person, and still not move it across.
    await api.grant(park.admin, Role.COMMUNITY_ADMIN, sibling.site)
    headers = await api.headers("admin")
    person = await persons.create(api.context, BY, sibling.site, NewPerson("李四"))
    path = f"/v1/houses/{park.flat.id}/residents"
    body = {"person_id": str(person.id), "type": "owner"}
    answer = await api.client.post(path, json=body, headers=headers)
    assert answer.json()["type"] == "/problems/no-such-person"
    assert not await Occupancy.all().exists()


async def household(api: Api, park: Estate) -> dict[str, Occupancy]:
    """Everybody who could be in a flat, at every time."""
    now = api.time()
    people = {
        "owner": (ResidentType.OWNER, None, None),
        "co-owner": (ResidentType.OWNER, None, None),
        "family": (ResidentType.FAMILY, None, None),
        "tenant": (ResidentType.TENANT, now - DAY, now + 100 * DAY),
        "visitor": (ResidentType.VISITOR, None, None),
        "next": (ResidentType.TENANT, now + DAY, None),
        "former": (ResidentType.TENANT, now - 9 * DAY, None),
    }
    homes = {}
    for name, (type_, begin, end) in people.items():
        person, _ = await resident(api, park, name)
        homes[name] = await moves.move_in(
            api.context, BY, park.flat, person, type_, valid_from=begin, valid_to=end
        )
    await moves.end(api.context, BY, homes["former"], "ended_by_staff")
    api.time.ahead += timedelta(seconds=1)
    return homes


async def names(api: Api, headers: dict[str, str], **query: Any) -> set[str]:
    return {row["name"] for row in (await listed(api, headers, size=50, **query))["items"]}


async def test_a_household_sees_itself_and_not_who_lived_there(
    api: Api, park: Estate, elsewhere: Estate
) -> None:
    await household(api, park)
    await move_in(api, park, park.home, {"person": ZHANG, "type": "owner"})
    now_there = {"owner", "co-owner", "family", "tenant", "visitor"}
    everybody = now_there | {"next", "张三"}
    admin = await api.headers("admin")
    assert await names(api, admin) == everybody
    assert await names(api, admin, state="ended") == {"former"}
    assert await names(api, admin, state="future") == {"next"}
    assert await names(api, await api.headers("owner")) == now_there | {"next"}
    assert await names(api, await api.headers("family")) == now_there
    tenant = await api.headers("tenant")
    for query in ({}, {"state": "ended"}, {"house_id": park.home.id}, {"state": "live"}):
        assert await names(api, tenant, **query) <= now_there
    for name in ("visitor", "next", "former"):
        answer = await api.client.get("/v1/residents", headers=await api.headers(name))
        assert answer.status_code == 403, name
    assert await names(api, elsewhere.headers, community_id=park.id) == set()


async def test_a_household_sees_no_documents(api: Api, park: Estate) -> None:
    await household(api, park)
    body = {"person": ZHANG, "type": "family", "landline": "010-62345678"}
    home = (await move_in(api, park, park.flat, body)).json()
    tenant = await api.headers("tenant")
    (row,) = [row for row in (await listed(api, tenant, size=50))["items"] if row["phone"]]
    assert (row["name"], row["phone"]) == ("张三", "138****8000")
    assert (row["id_type"], row["id_number"], row["landline"]) == (None, None, None)
    one = await api.client.get(f"/v1/occupancies/{home['id']}", headers=tenant)
    assert one.json() == row


async def test_who_may_end_what(api: Api, park: Estate, elsewhere: Estate) -> None:
    homes = await household(api, park)
    stranger, _ = await resident(api, park, "stranger")
    await moves.move_in(api.context, BY, park.home, stranger, ResidentType.OWNER)
    api.time.ahead += timedelta(seconds=1)

    async def end(by: str, whom: str) -> int:
        headers = elsewhere.headers if by == "elsewhere" else await api.headers(by)
        path = f"/v1/occupancies/{homes[whom].id}/end"
        return (await api.client.post(path, headers=headers)).status_code

    for by in ("tenant", "family", "visitor", "next", "stranger", "elsewhere"):
        for whom in ("owner", "tenant", "visitor"):
            assert await end(by, whom) in (403, 404), (by, whom)
    assert await end("owner", "co-owner") == 403
    assert await end("owner", "owner") == 403
    assert await end("owner", "former") == 404
    assert not await Occupancy.filter(ended_at__isnull=False).exclude(id=homes["former"].id)
    for whom in ("tenant", "visitor", "next"):
        assert await end("owner", whom) == 204
    assert (await Occupancy.get(id=homes["tenant"].id)).end_reason == "ended_by_owner"
    tenant = await Person.get(name="tenant")
    assert tenant.account_id is not None
    assert await opens(api, tenant.account_id, park.unit.id) == [False]
    # At once, with a session that is open: what it may do follows from where it lives.
    assert await end("admin", "co-owner") == 204
    assert await end("admin", "co-owner") == 204


async def test_rights_end_with_the_occupancy_at_once(api: Api, park: Estate) -> None:
    homes = await household(api, park)
    tenant = await api.headers("tenant")
    assert len(await names(api, tenant)) == 5
    owner = await api.headers("owner")
    await api.client.post(f"/v1/occupancies/{homes['tenant'].id}/end", headers=owner)
    answer = await api.client.get("/v1/residents", headers=tenant)
    assert answer.status_code == 403


async def test_changes_to_an_occupancy(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park, "tenant")
    home = await moves.move_in(api.context, BY, park.flat, person, ResidentType.TENANT)
    path, until = f"/v1/occupancies/{home.id}", api.time() + 5 * DAY

    async def change(body: dict[str, Any], version: int) -> Any:
        match = {"If-Match": f'"{version}"'}
        headers = await api.headers("admin") | match
        return await api.client.patch(path, json=body, headers=headers)

    body = {"valid_to": until.isoformat(), "landline": "010-62345678", "call_order": 7}
    answer = await change(body, 1)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"2"'
    assert (answer.json()["call_order"], answer.json()["version"]) == (7, 2)
    assert (await change({"call_order": 8}, 1)).status_code == 412
    api.time.ahead = 6 * DAY
    assert await opens(api, account_id, park.unit.id) == [False]
    assert (await change({"valid_to": None}, 2)).json()["type"] == "/problems/occupancy-ended"
    api.time.ahead = 4 * DAY
    assert (await change({"valid_to": None, "landline": None}, 2)).json()["landline"] is None
    api.time.ahead = 6 * DAY
    assert await opens(api, account_id, park.unit.id) == [True]
    later = (api.time() + DAY).isoformat()
    assert (await change({"valid_from": later}, 3)).json()["state"] == "future"
    assert await opens(api, account_id, park.unit.id) == [False]
    for bad, code in (
        ({}, "invalid-request"),
        ({"valid_from": None}, "invalid-request"),
        ({"type": "owner"}, "invalid-request"),
        ({"valid_to": "2001-01-01T00:00:00Z"}, "bad-validity"),
        ({"landline": "000"}, "bad-phone"),
    ):
        assert (await change(bad, 4)).json()["type"] == f"/problems/{code}"


async def test_the_order_of_calls(api: Api, park: Estate) -> None:
    homes = await household(api, park)
    ids = [str(home.id) for name, home in homes.items() if name != "former"]
    path = f"/v1/houses/{park.flat.id}/call-order"
    headers = await api.headers("admin")

    async def order(wanted: list[str]) -> Any:
        return await api.client.put(path, json={"occupancy_ids": wanted}, headers=headers)

    assert (await order(ids[::-1])).status_code == 204
    rows = (await listed(api, headers, house_id=park.flat.id, size=50))["items"]
    assert [row["id"] for row in rows] == ids[::-1]
    assert [row["call_order"] for row in rows] == list(range(1, 7))
    for wrong in (ids[1:], [*ids, ids[0]], [*ids[1:], ids[1]], [*ids, str(homes["former"].id)]):
        assert (await order(wrong)).json()["type"] == "/problems/wrong-call-order"
    assert (await order([])).status_code == 422


async def many(api: Api, park: Estate, count: int) -> None:
    where = place(park.site)
    for n in range(count):
        house = await House.create(building=park.villa, code=f"02{n:02}", **where)
        new = NewPerson(f"住户{n:02}", f"138001380{n:02}")
        person = await persons.create(api.context, BY, park.site, new)
        await moves.move_in(api.context, BY, house, person, ResidentType.OWNER)
    api.time.ahead += timedelta(seconds=1)


async def test_the_list_is_paged_searched_and_costs_the_same(api: Api, park: Estate) -> None:
    await many(api, park, 12)
    headers = await api.headers("admin")
    await listed(api, headers)  # the session is remembered from here on
    costs = []
    for size in (1, 12):
        with statements() as sql:
            await listed(api, headers, size=size)
        costs.append(len(sql))
    assert costs == [2, 2], sql
    first = await listed(api, headers, size=10)
    second = await listed(api, headers, size=10, page=2)
    assert first["total"] == second["total"] == 12
    assert len({row["id"] for row in first["items"] + second["items"]}) == 12
    assert await names(api, headers, search="住户03") == {"住户03"}
    assert await names(api, headers, search="0205") == {"住户05"}
    assert await names(api, headers, search="%") == set()
    assert await names(api, headers, type="tenant") == set()
    assert await names(api, headers, building_id=park.tower.id) == set()
    assert len(await names(api, headers, community_id=park.id)) == 12
    for query in ({"search": "\x00"}, {"search": "x" * 100}, {"type": "x"}, {"state": "over"}):
        answer = await api.client.get("/v1/residents", params=query, headers=headers)
        assert answer.status_code == 422


async def test_search_by_exact_numbers(api: Api, park: Estate, sibling: Estate) -> None:
    await move_in(api, park, park.flat, {"person": ZHANG, "type": "owner"})
    await move_in(api, park, park.home, {"person": ZHANG | {"name": "李四"}, "type": "owner"})

    async def search(body: dict[str, Any], headers: dict[str, str] = park.headers) -> Any:
        return await api.client.post("/v1/residents/search", json=body, headers=headers)

    here = {"community_id": str(park.id)}
    for body in (
        {"phone": "+86 138 0013 8000"},
        {"id_type": "resident_id", "id_number": NUMBER.lower()},
    ):
        found = (await search(here | body)).json()
        assert {one["person"]["name"] for one in found["items"]} == {"张三", "李四"}
        assert found["items"][0]["homes"][0]["house_name"] == "1号楼 1单元 0101"
        assert "13800138000" not in str(found)
    assert (await search(here | {"phone": "13800138001"})).json()["total"] == 0
    there = {"community_id": str(sibling.id), "phone": "13800138000"}
    assert (await search(there, sibling.headers)).json()["total"] == 0
    assert (await search(there)).status_code == 404
    assert (await search(here | {"phone": "1380013"})).status_code == 422
    for bad in ({}, {"phone": "13800138000", "id_number": NUMBER}, {"id_number": NUMBER}):
        assert (await search(here | bad)).status_code == 422
    await api.resident("owner", park.flat)
    asked = await search(here | {"phone": "13800138000"}, await api.headers("owner"))
    assert asked.status_code == 403


async def test_my_houses(api: Api, park: Estate, elsewhere: Estate) -> None:
    account = await api.account("zhang")
    homes: list[UUID] = []
    for estate, type_, days in (
        (park, ResidentType.OWNER, None),
        (elsewhere, ResidentType.TENANT, 30),
    ):
        new = NewPerson("张三")
        person = await persons.create(api.context, BY, estate.site, new, account.id)
        home = await moves.move_in(
            *(api.context, BY, estate.flat, person, type_),
            valid_to=api.time() + days * DAY if days else None,
        )
        homes.append(home.id)
    api.time.ahead += timedelta(seconds=1)
    headers = await api.headers("zhang")
    mine = (await api.client.get("/v1/me/houses", headers=headers)).json()
    assert mine["total"] == 2
    shown = {row["community_name"]: row for row in mine["items"]}
    assert {name: row["type"] for name, row in shown.items()} == {
        "柏树园": "owner",
        "别处": "tenant",
    }
    assert shown["柏树园"]["name"] == "1号楼 1单元 0101"
    assert shown["柏树园"]["until"] is None
    api.time.ahead = 31 * DAY
    headers = await api.headers("zhang")
    mine = (await api.client.get("/v1/me/houses", headers=headers)).json()
    assert [row["occupancy_id"] for row in mine["items"]] == [str(homes[0])]
    nobody = (await api.client.get("/v1/me/houses", headers=await api.headers("admin"))).json()
    assert nobody["total"] == 0


async def test_who_has_gone_can_be_erased(api: Api, park: Estate) -> None:
    body = {"person": ZHANG, "type": "owner", "landline": "010-62345678"}
    home = (await move_in(api, park, park.flat, body)).json()
    account = await api.account("zhang")
    await Person.filter(id=home["person_id"]).update(account_id=account.id)
    path = f"/v1/persons/{home['person_id']}"
    still = await api.client.post(f"{path}/erase", headers=park.headers)
    assert still.json()["type"] == "/problems/still-lives-here"
    await api.client.post(f"/v1/occupancies/{home['id']}/end", headers=park.headers)
    for _ in range(2):
        erased = await api.client.post(f"{path}/erase", headers=park.headers)
        assert erased.status_code == 204
    gone = await Person.get(id=home["person_id"])
    empty = (gone.data_key, gone.phone_sealed, gone.id_number_sealed, gone.account_id)
    assert (*empty, gone.phone_index, gone.id_number_index) == (None,) * 4 + ("",) * 2
    assert (await Occupancy.get(id=home["id"])).landline_sealed is None
    shown = (await api.client.get(path, headers=park.headers)).json()
    assert (shown["name"], shown["phone"]) == ("已删除", None)
    assert shown["erased_at"] is not None
    (_,) = await AuditEvent.filter(action="person.erase")
    back = {"person_id": home["person_id"], "type": "owner"}
    answer = await move_in(api, park, park.flat, back)
    assert answer.json()["type"] == "/problems/no-such-person"
    match = {"If-Match": f'"{shown["version"]}"'}
    edit = await api.client.patch(path, json={"name": "x"}, headers=park.headers | match)
    assert edit.json()["type"] == "/problems/person-erased"
    # The account may come back, as somebody new.
    again = NewPerson("张三", "13800138000")
    new = await persons.find_or_create(api.context, BY, park.site, again, account.id)
    assert new.id != gone.id
