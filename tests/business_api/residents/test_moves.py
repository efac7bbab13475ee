"""Moving in and out: rows, rights, doors and the house's state go together."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from business_api.people import persons
from business_api.people.errors import NoSuchPerson
from business_api.people.models import Person
from business_api.people.persons import NewPerson
from business_api.places.models import House, HouseState
from business_api.residents import moves, reading
from business_api.residents.errors import BadValidity, ResidentThere
from business_api.residents.models import Occupancy, ResidentType
from device_registry.access import grants
from tests.business_api.conftest import Api, Estate

ADMIN = "account/admin"


async def opens(api: Api, account_id: UUID, *places: UUID) -> list[bool]:
    now = api.time()
    return [
        any(not grant.why_not(now) for grant in await grants.remote(account_id, place))
        for place in places
    ]


def way(park: Estate) -> tuple[UUID, ...]:
    return park.id, park.tower.id, park.unit.id, park.villa.id


async def person(api: Api, park: Estate, name: str = "张三", account: bool = True) -> Person:
    account_id = (await api.account(f"{name}-sign-in")).id if account else None
    new = NewPerson(name, phone="13800138000")
    return await persons.create(api.context, ADMIN, park.site, new, account_id)


async def test_who_moves_in_may_open_the_way_home(api: Api, park: Estate) -> None:
    zhang = await person(api, park)
    assert zhang.account_id is not None
    home = await moves.move_in(api.context, ADMIN, park.flat, zhang, ResidentType.OWNER)
    assert await opens(api, zhang.account_id, *way(park)) == [True, True, True, False]
    assert (await House.get(id=park.flat.id)).state is HouseState.OCCUPIED
    since = await reading.homes_since(zhang.account_id, api.time())
    assert set(since) == {park.flat.id}
    owners = await reading.verified_owners(park.flat.id, api.time())
    assert [(one.id, who.id) for one, who in owners] == [(home.id, zhang.id)]

    await moves.end(api.context, ADMIN, home, "ended_by_staff")
    assert home.slot is None
    assert home.ended_at is not None
    assert await opens(api, zhang.account_id, *way(park)) == [False] * 4
    assert (await House.get(id=park.flat.id)).state is HouseState.VACANT
    assert await reading.homes_since(zhang.account_id, api.time()) == {}
    assert await reading.verified_owners(park.flat.id, api.time()) == []
