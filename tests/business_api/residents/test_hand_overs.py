"""Moving out of a whole house: everything of it ends in one action, once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from business_api.actors import Actor
from business_api.places.models import House, HouseState
from business_api.residents import hand_overs, moves
from business_api.residents.endings import ENDINGS
from business_api.residents.models import HandOver, Occupancy, ResidentType
from foundation.models import AuditEvent
from foundation.runner import Context
from tests.business_api.conftest import Api, Estate
from tests.business_api.residents.test_moves import BY, DAY, opens, resident, way

NOTES = {"meter_notes": "水 123.4\n电 5678", "keys": "两把", "remarks": "电话 13800138000"}


async def move_out(api: Api, park: Estate, house: House, **more: Any) -> Any:
    path = f"/v1/houses/{house.id}/move-out"
    return await api.client.post(path, json=NOTES | more, headers=park.headers)


@pytest.fixture
async def household(api: Api, park: Estate) -> list[Any]:
    """An owner, a tenant, and another tenant who comes in a month."""
    accounts = []
    for name, type_, begin in (
        ("owner", ResidentType.OWNER, None),
        ("tenant", ResidentType.TENANT, None),
        ("next", ResidentType.TENANT, api.time() + 30 * DAY),
    ):
        person, account_id = await resident(api, park, name)
        await moves.move_in(api.context, BY, park.flat, person, type_, valid_from=begin)
        accounts.append(account_id)
    return accounts


async def test_everything_ends_and_a_record_stays(
    api: Api, park: Estate, household: list[Any]
) -> None:
    told: list[Sequence[Occupancy]] = []

    async def ending(_: Context, __: Actor | str, ended: Sequence[Occupancy]) -> None:
        told.append(ended)

    ENDINGS.register("test", ending)
    try:
        answer = await move_out(api, park, park.flat)
    finally:
        ENDINGS.forget("test")
    assert answer.status_code == 201, answer.text
    record = answer.json()
    assert record["people"] == ["owner", "tenant"]
    assert {name: record[name] for name in NOTES} == NOTES
    assert (record["by_id"], record["by_name"]) == (str(park.admin.id), park.admin.name)
    assert [{home.end_reason for home in ended} for ended in told] == [{"moved_out"}]
    assert [home.person.name for home in told[0]] == ["owner", "tenant"]
    for account_id in household[:2]:
        assert await opens(api, account_id, *way(park)) == [False] * 4
    assert (await House.get(id=park.flat.id)).state is HouseState.VACANT
    (to_come,) = await Occupancy.filter(ended_at=None).select_related("person")
    assert to_come.person.name == "next"
    api.time.ahead = 31 * DAY
    assert await opens(api, household[2], park.unit.id) == [True]
    (line,) = await AuditEvent.filter(action="house.move_out")
    assert line.facts["hand_over"] == record["id"]
    assert "13800138000" not in str(line.facts)
    stored = await HandOver.get()
    assert b"13800138000" not in bytes(stored.notes_sealed)

    headers = await api.headers("admin")
    path = f"/v1/houses/{park.flat.id}/hand-overs"
    listed = (await api.client.get(path, headers=headers)).json()
    assert listed["items"] == [record]
    # Whoever lives there later does not see who did before.
    assert (await api.client.get(path, headers=await api.headers("next"))).status_code == 403


async def test_the_owners_can_stay(api: Api, park: Estate, household: list[Any]) -> None:
    answer = await move_out(api, park, park.flat, keep_owners=True)
    assert answer.json()["people"] == ["tenant"]
    assert await opens(api, household[0], park.unit.id) == [True]
    assert await opens(api, household[1], park.unit.id) == [False]
    assert (await House.get(id=park.flat.id)).state is HouseState.OCCUPIED


async def test_it_happens_once(api: Api, park: Estate, household: list[Any]) -> None:
    answers = await asyncio.gather(*(move_out(api, park, park.flat) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await HandOver.all().count() == 1
    assert await AuditEvent.filter(action="house.move_out").count() == 1
    assert await Occupancy.filter(ended_at__isnull=False).count() == 2


async def test_each_time_somebody_has_lived_there(api: Api, park: Estate) -> None:
    nobody = await move_out(api, park, park.home)
    assert (nobody.status_code, nobody.json()["type"]) == (409, "/problems/nobody-there")
    ids = []
    for name in ("first", "second"):
        person, _ = await resident(api, park, name)
        await moves.move_in(api.context, BY, park.home, person, ResidentType.OWNER)
        record = (await move_out(api, park, park.home)).json()
        assert record["people"] == [name]
        ids.append(record["id"])
    assert len(set(ids)) == 2
    # Sent away one by one: the hand-over is still to be written down.
    person, _ = await resident(api, park, "third")
    home = await moves.move_in(api.context, BY, park.home, person, ResidentType.OWNER)
    await moves.end(api.context, BY, home, "ended_by_staff")
    api.time.ahead += timedelta(seconds=1)
    third = (await move_out(api, park, park.home)).json()
    assert third["people"] == []
    assert third["id"] not in ids
    assert (await move_out(api, park, park.home)).json()["id"] == third["id"]


async def test_a_failure_ends_nothing(api: Api, park: Estate, household: list[Any]) -> None:
    async def ending(_: Context, __: Actor | str, ___: Sequence[Occupancy]) -> None:
        raise RuntimeError("out of order")

    ENDINGS.register("test", ending)
    try:
        with pytest.raises(RuntimeError):
            await hand_overs.move_out(api.context, BY, park.flat, hand_overs.Notes())
    finally:
        ENDINGS.forget("test")
    assert not await HandOver.all().exists()
    assert await opens(api, household[0], *way(park)) == [True, True, True, False]


async def test_move_in_and_move_out_at_once(api: Api, park: Estate, household: list[Any]) -> None:
    """Whatever comes first, the state of the house fits who lives there."""
    for n in range(3):
        person, account_id = await resident(api, park, f"late{n}")
        await asyncio.gather(
            moves.move_in(api.context, BY, park.flat, person, ResidentType.TENANT),
            hand_overs.move_out(api.context, BY, park.flat, hand_overs.Notes()),
        )
        there = await Occupancy.filter(
            ended_at=None, house_id=park.flat.id, valid_from__lte=api.time()
        )
        lived_in = (await House.get(id=park.flat.id)).state is HouseState.OCCUPIED
        assert lived_in == bool(there)
        mine = any(home.person_id == person.id for home in there)  # type: ignore[attr-defined]
        assert await opens(api, account_id, park.unit.id) == [mine]
