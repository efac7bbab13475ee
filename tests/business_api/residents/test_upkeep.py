"""What happens by itself: time runs out, rights that have drifted are put right."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import grimp
import pytest

from business_api import background
from business_api.actors import Actor
from business_api.people import persons
from business_api.people.models import Person
from business_api.people.persons import NewPerson
from business_api.places.models import House, HouseState, Unit
from business_api.residents import expiry, jobs, moves, recompute
from business_api.residents.endings import ENDINGS
from business_api.residents.models import Occupancy, ResidentType
from business_api.tenancy import place
from device_registry.access import grants
from device_registry.access.models import RemoteGrant
from foundation.models import AuditEvent
from foundation.runner import Context
from tests.business_api.conftest import Api, Estate
from tests.business_api.residents.test_moves import BY, DAY, opens, resident, state, way
from tests.support.statements import statements
from tests.support.until import until


async def test_a_tenancy_runs_out(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    home = await moves.move_in(
        *(api.context, BY, park.flat, person, ResidentType.TENANT), valid_to=api.time() + DAY
    )
    assert await expiry.expire(api.context) == 0
    told: list[Sequence[Occupancy]] = []

    async def ending(_: Context, __: Actor | str, ended: Sequence[Occupancy]) -> None:
        told.append(ended)

    ENDINGS.register("test", ending)
    try:
        api.time.ahead = 2 * DAY
        assert await expiry.expire(api.context) == 1
        assert await expiry.expire(api.context) == 0
    finally:
        ENDINGS.forget("test")
    over = await Occupancy.get(id=home.id)
    assert (over.slot, over.end_reason, over.ended_at) == (None, "expired", over.valid_to)
    assert [[one.id for one in ended] for ended in told] == [[home.id]]
    assert await state(park.flat) is HouseState.VACANT
    (_, line) = await AuditEvent.filter(object=f"occupancy/{home.id}").order_by("seq")
    assert (line.action, line.actor) == ("resident.end", "platform")
    # The rights were over by themselves; that is no drift, and they are forgotten.
    assert await recompute.recompute(api.context) == 0
    assert not await RemoteGrant.filter(person_id=account_id).exists()


async def test_a_move_in_begins(api: Api, park: Estate) -> None:
    person, _ = await resident(api, park)
    await moves.move_in(
        *(api.context, BY, park.flat, person, ResidentType.TENANT), valid_from=api.time() + DAY
    )
    assert await state(park.flat) is HouseState.VACANT
    assert await expiry.begin(api.context) == 0
    api.time.ahead = 2 * DAY
    assert await expiry.begin(api.context) == 1
    assert await expiry.begin(api.context) == 0
    assert await state(park.flat) is HouseState.OCCUPIED


async def test_both_are_on_the_timetable(api: Api, park: Estate) -> None:
    person, _ = await resident(api, park)
    await moves.move_in(
        *(api.context, BY, park.flat, person, ResidentType.TENANT), valid_to=api.time() + DAY
    )
    await RemoteGrant.all().delete()
    assert {jobs.CLOCK, jobs.RECOMPUTE} <= {timed.kind for timed in background.TIMETABLE}

    async def repaired() -> int:
        return await RemoteGrant.all().count()

    async with api.background():
        assert await until(repaired) == 3


async def test_drift_is_repaired_and_counted(api: Api, park: Estate) -> None:
    people = {name: await resident(api, park, name) for name in ("a", "b", "c")}
    homes = {
        name: await moves.move_in(api.context, BY, park.flat, person, ResidentType.FAMILY)
        for name, (person, _) in people.items()
    }
    staff = uuid4()
    await grants.set_remote(staff, None, way(park))
    await grants.set_remote(uuid4(), uuid4(), [park.id])  # of a house that is gone
    stranger = uuid4()
    await grants.set_remote(stranger, park.flat.id, [park.villa.id])
    a, b, c = (account_id for _, account_id in people.values())
    await RemoteGrant.filter(person_id=a, place_id=park.unit.id).delete()
    later = api.time() + DAY
    await RemoteGrant.filter(person_id=b).update(valid_from=later)
    # Somebody changed the tenancy behind our back.
    await Occupancy.filter(id=homes["c"].id).update(valid_to=later)
    found = 1 + 1 + 1 + 6 + 6  # gone, stranger, a; b and c differ in three places, twice
    assert await recompute.recompute(api.context) == found
    for account_id in (a, b, c):
        assert await opens(api, account_id, *way(park)) == [True, True, True, False]
    assert await opens(api, stranger, *way(park)) == [False] * 4
    assert await opens(api, staff, *way(park)) == [True] * 4
    assert {row.valid_to for row in await RemoteGrant.filter(person_id=c)} == {later}
    assert await recompute.recompute(api.context) == 0


async def test_what_a_deleted_account_leaves_is_no_drift(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    await moves.move_in(api.context, BY, park.flat, person, ResidentType.OWNER)
    await Person.filter(id=person.id).update(account_id=None)
    await grants.suspend_remote(account_id, True)
    assert await recompute.recompute(api.context) == 0
    assert not await RemoteGrant.filter(person_id=account_id).exists()


async def test_the_way_home_has_changed(api: Api, park: Estate) -> None:
    person, account_id = await resident(api, park)
    await moves.move_in(api.context, BY, park.flat, person, ResidentType.OWNER)
    other = await Unit.create(building=park.tower, code="2", **place(park.site))
    await House.filter(id=park.flat.id).update(unit_id=other.id)
    assert await recompute.recompute(api.context) == 2
    assert await opens(api, account_id, park.unit.id, other.id) == [False, True]


async def test_it_costs_the_same_for_one_and_for_many(
    api: Api, park: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cost() -> int:
        with statements() as sql:
            assert await recompute.recompute(api.context) == 0
        return len(sql)

    person, _ = await resident(api, park)
    await moves.move_in(api.context, BY, park.flat, person, ResidentType.OWNER)
    before = await cost()
    for n in range(20):
        house = await House.create(building=park.villa, code=f"03{n:02}", **place(park.site))
        await moves.move_in(api.context, BY, house, person, ResidentType.OWNER)
    assert await cost() == before
    monkeypatch.setattr(recompute, "_AT_ONCE", 4)
    await RemoteGrant.filter(place_id=park.id).delete()
    assert await recompute.recompute(api.context) == 21


async def test_many_tenancies_run_out(
    api: Api, park: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_AT_ONCE", 2)
    for n in range(5):
        person: Person = await persons.create(api.context, BY, park.site, NewPerson(f"住户{n}"))
        await moves.move_in(
            *(api.context, BY, park.flat, person, ResidentType.TENANT),
            valid_to=api.time() + timedelta(hours=1),
        )
    api.time.ahead = DAY
    assert await expiry.expire(api.context) == 5
    assert await state(park.flat) is HouseState.VACANT


def test_opening_a_door_takes_no_billing_input() -> None:
    """No import leads from who lives where, the places or the rights to bills or payments.

    The import graph, and not a contract of import-linter: that refuses to name packages
    which are not there yet, and this must hold on the day they come.
    """
    graph = grimp.build_graph("business_api", "device_registry", "foundation")
    money = {
        module
        for module in graph.modules
        if module.startswith(("business_api.billing", "business_api.payments"))
    }
    doors = ("business_api.residents", "business_api.places", "device_registry.access")
    reached = {
        upstream
        for root in doors
        for module in graph.modules
        if module == root or module.startswith(f"{root}.")
        for upstream in graph.find_upstream_modules(module)
    }
    assert {"business_api.people.persons", "foundation.sql"} <= reached
    assert not reached & money
