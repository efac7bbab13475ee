"""开门记录: one list of commands and events, paged without loss, never more than one may see."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.context import TortoiseContext

from device_registry.access import grants
from device_registry.devices import commands
from device_registry.devices.admission import Opening
from device_registry.devices.models import OpenCommand
from device_registry.devices.states import CommandState
from device_registry.journal.models import DeviceEvent
from device_registry.journal.queries import BadCursor, BadPeriod, Record, RecordFilter, records
from foundation.clock import utc_now
from foundation.ids import new_id, new_ulid
from tests.device_registry.stations import COMMUNITY, Air, Station, new_air
from tests.support.statements import statements

HOUR = timedelta(hours=1)


def around(**fields: Any) -> RecordFilter:
    facts: dict[str, Any] = {"since": utc_now() - HOUR, "until": utc_now() + HOUR}
    return RecordFilter(**{"communities": [COMMUNITY]} | facts | fields)


async def everything(wanted: RecordFilter, size: int = 10) -> list[Record]:
    """All pages."""
    found: list[Record] = []
    cursor: str | None = None
    while True:
        page, cursor = await records(wanted, before=cursor, limit=size)
        assert len(page) <= size
        found += page
        if cursor is None:
            return found
        assert len(page) == size


async def opened(air: Air, station: Station, **fields: Any) -> commands.Outcome:
    facts = {"by_id": new_id(), "staff_of": [COMMUNITY]}
    return await commands.open(air.context, Opening(device_id=station.id, **facts | fields))


async def test_commands_and_events_in_one_list_the_latest_first(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    house = new_id()
    first = await opened(air, station, reason="送水")
    await station.journal(
        station.event("access.granted", kind="card", cid="c1", house=str(house)),
        station.event("door.opened"),
        station.event("access.denied", kind="pin", reason="expired"),
    )
    found = await everything(around())
    assert [(r.source, r.method, r.outcome, r.code) for r in found] == [
        ("event", "pin", "denied", "expired"),
        ("event", "card", "granted", ""),
        ("command", "remote", "executed", "ok"),
    ]
    card, command = found[1], found[2]
    assert (card.cid, card.house_id, card.by_id, card.by_kind) == ("c1", house, None, "")
    assert (command.id, command.by_kind, command.by_id) == (first.id, "admin", first.by_id)
    assert (command.reason, command.at, command.settled_at) == (
        "送水",
        first.at,
        first.settled_at,
    )
    assert {r.device_name for r in found} == {"01 号门"}


async def test_a_remote_opening_is_one_record(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    done = await opened(air, station)
    station.answers = False
    lost = await opened(air, station)
    await station.journal(
        station.event("remote.open", cmd_id=done.id, result="ok"),
        station.event("remote.open", cmd_id=lost.id, result="ok"),
        station.event("remote.open", cmd_id=new_ulid(), result="ok"),
    )
    found = await everything(around(method="remote"))
    assert sorted((r.source, r.outcome) for r in found) == [
        ("command", "executed"),
        ("command", "executed"),
        ("event", "executed"),
    ]


async def test_every_outcome_is_listed_and_found(rows: TortoiseContext) -> None:
    air = new_air()
    station, away = await air.connected(1), await air.station(2)
    person = new_id()
    await grants.set_remote(person, new_id(), [station.place])
    await opened(air, station)
    await opened(air, away)
    await opened(air, station, by_id=person, house_id=new_id())
    station.answers = False
    await opened(air, station)
    await station.journal(
        station.event("access.granted", kind="fp"),
        station.event("access.denied", kind="ble"),
        station.event("exit_button"),
        station.event("call.sip_open"),
        station.event("remote.refused", cmd_id=new_ulid(), reason="lockdown"),
        station.event("remote.open", cmd_id=new_ulid(), result="unknown"),
    )
    counts = {}
    for outcome in ("executed", "refused", "offline", "unknown", "granted", "denied", "sent"):
        found = await everything(around(outcome=outcome))
        assert {r.outcome for r in found} <= {outcome}
        counts[outcome] = len(found)
    assert counts == {
        "executed": 2,
        "refused": 2,
        "offline": 1,
        "unknown": 2,
        "granted": 2,
        "denied": 1,
        "sent": 0,
    }
    methods = {}
    for method in ("remote", "card", "fp", "pin", "ble", "button", "call"):
        methods[method] = len(await everything(around(method=method)))
    assert methods == {
        "remote": 6,
        "card": 0,
        "fp": 1,
        "pin": 0,
        "ble": 1,
        "button": 1,
        "call": 1,
    }
    assert len(await everything(around())) == 10


async def test_nobody_sees_more_than_their_own(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected(1)
    elsewhere = await air.connected(2, community_id=new_id())
    mine, theirs = new_id(), new_id()
    person = new_id()
    await grants.set_remote(person, mine, [station.place])
    await opened(air, station, by_id=person, house_id=mine)
    await opened(air, station)
    await station.journal(
        station.event("access.granted", kind="card", house=str(mine)),
        station.event("access.granted", kind="card", house=str(theirs)),
        station.event("access.denied", kind="card"),
    )
    await elsewhere.journal(elsewhere.event("access.granted", kind="card", house=str(mine)))
    assert len(await everything(around())) == 5
    long_ago = utc_now() - HOUR

    async def at_home(*houses: UUID, **more: Any) -> list[Record]:
        return await everything(
            around(communities=(), houses=dict.fromkeys(houses, long_ago), **more)
        )

    assert len(await at_home(mine)) == 3
    found = await at_home(mine, community_id=COMMUNITY)
    assert [(r.house_id, r.device_id) for r in found] == [(mine, station.id)] * 2
    assert len(await at_home(mine, theirs, community_id=COMMUNITY)) == 3
    assert len(await at_home(mine, theirs, house_id=theirs)) == 1
    assert await at_home(mine, house_id=theirs) == []
    assert await everything(around(communities=())) == []
    assert len(await everything(around(communities=None))) == 6


async def test_several_communities_and_houses_at_once_in_one_statement(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    here, there = new_id(), new_id()
    for number, community in enumerate((COMMUNITY, here, there), 1):
        station = await air.connected(number, community_id=community)
        await station.journal(
            station.event("access.granted", kind="card", house=str(community)),
            station.event("access.denied", kind="card"),
        )
    long_ago = utc_now() - HOUR
    for communities, houses, expected in [
        ([COMMUNITY], {}, 2),
        ([COMMUNITY, here], {}, 4),
        ([COMMUNITY, here], {there: long_ago}, 5),
        ([COMMUNITY, *(new_id() for _ in range(3000))], {}, 2),
        ([], {here: long_ago, there: long_ago}, 2),
    ]:
        with statements() as sql:
            found, _ = await records(around(communities=communities, houses=houses))
        assert (len(found), len(sql)) == (expected, 1)


async def test_who_moves_in_sees_nothing_from_before(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    house, other = new_id(), new_id()

    async def happened(hours: int) -> None:
        at = int((air.now() - hours * HOUR).timestamp() * 1000)
        await station.journal(
            station.event("access.granted", kind="card", house=str(house), ts=at),
            station.event("access.granted", kind="card", house=str(other), ts=at),
        )

    for hours in (5, 3, 1):
        await happened(hours)
    homes = {house: utc_now() - 4 * HOUR, other: utc_now() - 2 * HOUR}
    wanted = around(communities=(), houses=homes, since=utc_now() - 24 * HOUR)
    found = await everything(wanted)
    assert [r.house_id for r in found].count(house) == 2
    assert [r.house_id for r in found].count(other) == 1
    assert all(r.at >= homes[r.house_id] for r in found if r.house_id)


async def test_by_station_time_and_search(rows: TortoiseContext) -> None:
    air = new_air()
    east, west = await air.connected(1, name="东门"), await air.connected(2, name="West 50%_")
    await opened(air, east)
    await west.journal(
        west.event("access.granted", kind="card", cid="Card-7"),
        west.event("exit_button", ts=int((air.now() - 3 * HOUR).timestamp() * 1000)),
    )

    async def count(**wanted: Any) -> int:
        return len(await everything(around(**wanted)))

    assert await count() == 2
    assert await count(device_id=east.id) == 1
    assert await count(search="west") == 1
    assert await count(search="50%_") == 1
    assert await count(search="5%_") == 0
    assert await count(search="card-7") == 1
    assert await count(search=f"00:00:00:00:00:{east.mac[-2:]}") == 1
    assert await count(search="'\\\0") == 0
    assert await count(since=utc_now() - 4 * HOUR) == 3
    assert await count(since=utc_now() - 4 * HOUR, until=utc_now() - 2 * HOUR) == 1


async def _fill(station: Station, times: list[int], base: Any) -> None:
    """Rows whose times collide on purpose, within a table and between the two."""
    commands_, events = [], []
    for number, shift in enumerate(times):
        at = base + timedelta(microseconds=shift)
        if number % 2:
            commands_.append(
                OpenCommand(
                    id=new_ulid(),
                    device_id=station.id,
                    community_id=COMMUNITY,
                    mac=station.mac,
                    state=CommandState.EXECUTED,
                    by_kind="admin",
                    by_id=new_id(),
                    at=at,
                    deadline=at,
                )
            )
        else:
            events.append(
                DeviceEvent(
                    device_id=station.id,
                    box=1,
                    community_id=COMMUNITY,
                    seq=number + 1,
                    boot=1,
                    at=at,
                    clk="ok",
                    received_at=at,
                    type="access.granted",
                    door=1,
                    opening=True,
                    more={},
                )
            )
    await OpenCommand.bulk_create(commands_)
    await DeviceEvent.bulk_create(events)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(times=st.lists(st.sampled_from([0, 0, 1, 1_000_000]), max_size=25), size=st.integers(1, 7))
async def test_pages_lose_nothing_and_repeat_nothing_when_times_are_equal(
    rows: TortoiseContext, times: list[int], size: int
) -> None:
    await OpenCommand.all().delete()
    await DeviceEvent.all().delete()
    air = new_air()
    station = await air.station(new_id().int % 60000)
    # At the whole second: SQLite's text then has no fraction, and must sort all the same.
    base = utc_now().replace(microsecond=0)
    await _fill(station, times, base)
    wanted = around()
    found = await everything(wanted, size)
    assert len(found) == len({r.id for r in found}) == len(times)
    assert [r.at for r in found] == sorted((r.at for r in found), reverse=True)
    whole, _ = await records(wanted, limit=100)
    assert found == whole


@pytest.mark.parametrize("many", [1, 5])
async def test_a_page_costs_one_statement(rows: TortoiseContext, many: int) -> None:
    air = new_air()
    for number in range(many):
        station = await air.connected(number + 1)
        await opened(air, station)
        await station.journal(station.event("exit_button"))
    with statements() as sql:
        found, more = await records(around())
    assert (len(found), more, len(sql)) == (2 * many, None, 1)


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!", "bm9wZQ", "MDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OXxh", "é"]
)
async def test_a_cursor_that_is_none_is_refused(rows: TortoiseContext, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await records(around(), before=cursor)


@pytest.mark.parametrize(
    "until", [lambda since: since, lambda since: since - HOUR, lambda s: s + timedelta(days=367)]
)
async def test_a_period_that_is_none_is_refused(
    rows: TortoiseContext, until: Callable[[Any], Any]
) -> None:
    since = utc_now()
    with pytest.raises(BadPeriod):
        await records(RecordFilter(communities=None, since=since, until=until(since)))
