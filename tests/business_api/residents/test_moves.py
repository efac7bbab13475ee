"""Moving in and out: rows, rights, doors and the house's state go together."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from business_api.accounts import accounts
from business_api.people import persons
from business_api.people.errors import NoSuchPerson
from business_api.people.models import Person
from business_api.people.persons import NewPerson
from business_api.phones import BadPhone
from business_api.places.models import House, HouseState
from business_api.residents import moves, reading, standing
from business_api.residents.errors import BadValidity, ResidentThere
from business_api.residents.models import Occupancy, ResidentType
from device_registry.access import grants
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate

BY = "account/admin"
DAY = timedelta(days=1)


async def opens(api: Api, account_id: UUID, *places: UUID) -> list[bool]:
    """Whether the account may open there now."""
    now = api.time()
    return [
        any(not grant.why_not(now) for grant in await grants.remote(account_id, place))
        for place in places
    ]


def way(park: Estate) -> tuple[UUID, ...]:
    return park.id, park.tower.id, park.unit.id, park.villa.id


async def resident(api: Api, park: Estate, name: str = "zhang") -> tuple[Person, UUID]:
    account = await api.account(name)
    person = await persons.create(api.context, BY, park.site, NewPerson(name), account.id)
    return person, account.id


async def state(house: House) -> HouseState:
    return (await House.get(id=house.id)).state


async def test_who_moves_in_may_open_the_way_home(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    home = await moves.move_in(api.context, BY, park.flat, person, ResidentType.OWNER)
    assert await opens(api, account_id, *way(park)) == [True, True, True, False]
    assert await state(park.flat) is HouseState.OCCUPIED
    assert set(await reading.homes_since(account_id, api.time())) == {park.flat.id}
    owners = await reading.verified_owners(park.flat.id, api.time())
    assert [(one.id, who.id) for one, who in owners] == [(home.id, person.id)]

    await moves.end(api.context, BY, home, "ended_by_staff")
    assert (home.slot, home.end_reason) == (None, "ended_by_staff")
    assert await opens(api, account_id, *way(park)) == [False] * 4
    assert await state(park.flat) is HouseState.VACANT
    assert await reading.homes_since(account_id, api.time()) == {}
    assert await reading.verified_owners(park.flat.id, api.time()) == []
    await moves.end(api.context, BY, home, "again")
    assert (await Occupancy.get(id=home.id)).end_reason == "ended_by_staff"
    lines = await AuditEvent.filter(object=f"occupancy/{home.id}").order_by("seq")
    assert [line.action for line in lines] == ["resident.move_in", "resident.end"]
    assert {line.community_id for line in lines} == {park.id}
    back = await moves.move_in(api.context, BY, park.flat, person, ResidentType.TENANT)
    assert back.id != home.id


async def test_two_houses_are_two_reasons_to_open(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    flat = await moves.move_in(api.context, BY, park.flat, person, ResidentType.OWNER)
    await moves.move_in(api.context, BY, park.home, person, ResidentType.OWNER)
    assert await opens(api, account_id, *way(park)) == [True] * 4
    await moves.end(api.context, BY, flat, "ended_by_staff")
    assert await opens(api, account_id, *way(park)) == [True, False, False, True]


async def test_once_at_a_time(api: Api, park: Estate) -> None:
    person, _ = await resident(api, park)
    tries = [
        moves.move_in(api.context, BY, park.flat, person, ResidentType.FAMILY) for _ in range(4)
    ]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, ResidentThere) for result in results) == 3
    assert await Occupancy.all().count() == 1


async def test_times_known_in_advance_need_nobody(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    now = api.time()
    home = await moves.move_in(
        *(api.context, BY, park.flat, person, ResidentType.TENANT),
        valid_from=now + DAY,
        valid_to=now + 10 * DAY,
    )
    for days, may in ((0, False), (2, True), (9, True), (10, False), (400, False)):
        api.time.ahead = days * DAY + timedelta(minutes=1)
        assert await opens(api, account_id, park.unit.id) == [may], days
        homes = await reading.homes_since(account_id, api.time())
        assert (park.flat.id in homes) == may
        held = await standing.grants_of(account_id)
        assert all(grant.live(api.time()) == may for grant in held)
    # It has run out, and nobody has written that down yet: that is no reason to be refused.
    again = await moves.move_in(api.context, BY, park.flat, person, ResidentType.TENANT)
    assert await opens(api, account_id, park.unit.id) == [True]
    was = await Occupancy.get(id=home.id)
    assert (was.slot, was.end_reason, was.ended_at) == (None, "expired", was.valid_to)
    assert again.valid_to is None


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (None, timedelta(0)),
        (None, -DAY),
        (-2 * DAY, -DAY),
        (2 * DAY, DAY),
        (400 * DAY, None),
        (datetime(1900, 1, 1, tzinfo=UTC), None),
        (datetime.min.replace(tzinfo=UTC), None),
        (datetime.max, None),  # noqa: DTZ901
        (None, datetime.max.replace(tzinfo=UTC)),
        (None, datetime(2300, 1, 1, tzinfo=UTC)),
    ],
)
async def test_times_that_cannot_be(
    api: Api, park: Estate, begin: timedelta | datetime | None, end: timedelta | datetime | None
) -> None:
    person, _ = await resident(api, park)
    now = api.time()
    times = [now + one if isinstance(one, timedelta) else one for one in (begin, end)]
    with pytest.raises(BadValidity):
        await moves.move_in(
            *(api.context, BY, park.flat, person, ResidentType.TENANT),
            valid_from=times[0],
            valid_to=times[1],
        )
    assert not await Occupancy.all().exists()


async def test_a_move_dated_back_opens_no_old_records(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    before = api.time()
    home = await moves.move_in(
        *(api.context, BY, park.flat, person, ResidentType.OWNER),
        valid_from=before - 2000 * DAY,
    )
    assert home.valid_from < before
    since = await reading.homes_since(account_id, api.time())
    assert since[park.flat.id] >= before


async def test_nobody_is_moved_across_communities(
    api: Api, park: Estate, elsewhere: Estate
) -> None:
    person, account_id = await resident(api, elsewhere)
    with pytest.raises(NoSuchPerson):
        await moves.move_in(api.context, BY, park.flat, person, ResidentType.OWNER)
    gone, _ = await resident(api, park, "gone")
    await Person.filter(id=gone.id).update(erased_at=api.time())
    with pytest.raises(NoSuchPerson):
        await moves.move_in(api.context, BY, park.flat, gone, ResidentType.OWNER)
    assert await opens(api, account_id, *way(park)) == [False] * 4


async def test_a_bad_landline_moves_nobody_in(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    with pytest.raises(BadPhone):
        await moves.move_in(
            *(api.context, BY, park.flat, person, ResidentType.OWNER), landline="12"
        )
    assert await opens(api, account_id, *way(park)) == [False] * 4


async def test_the_doors_follow_when_an_account_comes_later(api: Api, park: Estate) -> None:
    new = NewPerson("张三", "13800138000")
    entered = await persons.create(api.context, BY, park.site, new)
    for house in (park.flat, park.home):
        await moves.move_in(api.context, BY, house, entered, ResidentType.OWNER)
    account = await api.account("zhang")
    assert await opens(api, account.id, *way(park)) == [False] * 4
    known = await persons.find_or_create(api.context, BY, park.site, new, account.id)
    assert known.id == entered.id
    with pytest.raises(ResidentThere):
        await moves.move_in(api.context, BY, park.flat, known, ResidentType.OWNER)
    await moves.move_in(api.context, BY, park.flat, known, ResidentType.OWNER, renew=True)
    assert await opens(api, account.id, *way(park)) == [True] * 4
    assert await Occupancy.all().count() == 2


async def test_a_disabled_account_opens_nothing(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    await moves.move_in(api.context, BY, park.flat, person, ResidentType.OWNER)
    await accounts.disable(api.context, "platform", account_id)
    assert await opens(api, account_id, *way(park)) == [False] * 4
    await moves.move_in(api.context, BY, park.home, person, ResidentType.OWNER)
    assert await opens(api, account_id, *way(park)) == [False] * 4
    await accounts.enable(api.context, "platform", account_id)
    assert await opens(api, account_id, *way(park)) == [True] * 4


@pytest.mark.parametrize(
    ("before", "lived_in", "left"),
    [
        (HouseState.VACANT, HouseState.OCCUPIED, HouseState.VACANT),
        (HouseState.LET, HouseState.LET, HouseState.VACANT),
        (HouseState.RENOVATING, HouseState.RENOVATING, HouseState.RENOVATING),
        (HouseState.FOR_SALE, HouseState.FOR_SALE, HouseState.FOR_SALE),
    ],
)
async def test_the_houses_state_follows(
    api: Api, park: Estate, before: HouseState, lived_in: HouseState, left: HouseState
) -> None:
    await House.filter(id=park.flat.id).update(state=before)
    (one, _), (two, _) = await resident(api, park), await resident(api, park, "two")
    first = await moves.move_in(api.context, BY, park.flat, one, ResidentType.OWNER)
    second = await moves.move_in(api.context, BY, park.flat, two, ResidentType.FAMILY)
    assert await state(park.flat) is lived_in
    await moves.end(api.context, BY, first, "ended_by_staff")
    assert await state(park.flat) is lived_in
    await moves.end(api.context, BY, second, "ended_by_staff")
    assert await state(park.flat) is left


async def test_calls_go_to_the_last_who_came_last(api: Api, park: Estate) -> None:
    orders = []
    for name in ("a", "b", "c"):
        person, _ = await resident(api, park, name)
        home = await moves.move_in(api.context, BY, park.flat, person, ResidentType.FAMILY)
        orders.append(home.call_order)
    assert orders == [1, 2, 3]
