"""Rights to open from afar: whole sets, a fixed price, suspension apart."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from tortoise.context import TortoiseContext
from tortoise.transactions import in_transaction

from device_registry.access import grants
from device_registry.access.models import RemoteGrant, RemoteSuspension
from foundation import audit
from foundation.clock import utc_now
from foundation.ids import new_id
from foundation.models import AuditEvent
from tests.support.statements import statements


async def places(person: UUID, house: UUID | None) -> set[UUID]:
    return set(
        await RemoteGrant.filter(person_id=person, house_id=house).values_list(
            "place_id", flat=True
        )
    )


async def test_the_whole_set_is_replaced_for_one_house_only(rows: TortoiseContext) -> None:
    person, other, house, second = (new_id() for _ in range(4))
    a, b, c = (new_id() for _ in range(3))
    await grants.set_remote(person, house, [a, b, b])
    await grants.set_remote(person, second, [a])
    await grants.set_remote(other, house, [a])
    await grants.set_remote(person, house, [b, c])
    assert await places(person, house) == {b, c}
    assert await places(person, second) == {a}
    assert await places(other, house) == {a}
    await grants.set_remote(person, house, ())
    assert await places(person, house) == set()
    assert await places(person, second) == {a}


async def test_without_a_house_a_set_is_a_set_too(rows: TortoiseContext) -> None:
    person, a, b = new_id(), new_id(), new_id()
    await grants.set_remote(person, None, [a])
    await grants.set_remote(person, None, [a, b])
    assert await RemoteGrant.filter(person_id=person).count() == 2
    await grants.set_remote(person, None, ())
    assert await RemoteGrant.filter(person_id=person).count() == 0


@pytest.mark.parametrize("many", [1, 5])
async def test_the_price_does_not_grow_and_nothing_costs_one(
    rows: TortoiseContext, many: int
) -> None:
    person, house = new_id(), new_id()
    await grants.set_remote(person, house, [new_id() for _ in range(many)])
    wanted = [new_id() for _ in range(many)]

    async def price() -> int:
        with statements() as sql:
            await grants.set_remote(person, house, wanted)
        return len([text for text in sql if "advisory" not in text])

    lines = await AuditEvent.all().count()
    assert await price() == 5
    assert await price() == 1
    assert await AuditEvent.all().count() == lines + 1


async def test_times_are_part_of_the_set(rows: TortoiseContext) -> None:
    person, house, place = new_id(), new_id(), new_id()
    now = utc_now()
    await grants.set_remote(person, house, [place], valid_to=now + timedelta(hours=1))
    await grants.set_remote(
        person, house, [place], valid_from=now, valid_to=now + timedelta(hours=2)
    )
    [grant] = await grants.remote(person, place)
    assert (grant.valid_from, grant.valid_to) == (now, now + timedelta(hours=2))
    assert grant.why_not(now - timedelta(seconds=1)) == "grant_not_yet"
    assert grant.why_not(now) == ""
    assert grant.why_not(now + timedelta(hours=2)) == "grant_expired"


async def test_it_joins_the_callers_transaction_and_its_audit(rows: TortoiseContext) -> None:
    person, house, place = new_id(), new_id(), new_id()
    community = new_id()

    async def fails() -> None:
        async with in_transaction():
            await grants.set_remote(person, house, [place])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    assert await places(person, house) == set()
    assert await AuditEvent.all().count() == 0
    await grants.set_remote(
        person, house, [place], actor="account/x", community_id=community, valid_to=utc_now()
    )
    line = await AuditEvent.get()
    assert (line.actor, line.action) == ("account/x", "grant.set_remote")
    assert (line.object, line.community_id) == (f"account/{person}", community)
    assert line.facts["places"] == [str(place)]
    assert await audit.broken_at() is None


async def test_two_writers_of_one_person_leave_the_set_of_one(rows: TortoiseContext) -> None:
    person, house = new_id(), new_id()
    sets = [frozenset(new_id() for _ in range(3)) for _ in range(6)]
    await asyncio.gather(*(grants.set_remote(person, house, wanted) for wanted in sets))
    assert frozenset(await places(person, house)) in sets


async def test_suspension_is_of_the_person_and_outlives_the_grants(rows: TortoiseContext) -> None:
    person, house, place = new_id(), new_id(), new_id()
    for suspended in (True, True):
        await grants.suspend_remote(person, suspended)
    await grants.set_remote(person, house, [place])
    [grant] = await grants.remote(person, place)
    assert grant.why_not(utc_now()) == "person_suspended"
    for suspended in (False, False):
        await grants.suspend_remote(person, suspended)
    [grant] = await grants.remote(person, place)
    assert grant.why_not(utc_now()) == ""
    assert await RemoteSuspension.all().count() == 0
    actions = await AuditEvent.all().order_by("seq").values_list("action", flat=True)
    assert actions == ["grant.suspend_remote", "grant.set_remote", "grant.resume_remote"]
