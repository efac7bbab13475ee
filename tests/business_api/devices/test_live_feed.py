import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tortoise.exceptions import OperationalError

from business_api.actors import Actor
from business_api.devices import live_feed
from business_api.devices.live_changes import AT_ONCE, NEWEST, Change, Item, Scope, Seen
from business_api.devices.live_feed import Live
from business_api.devices.live_watcher import Watcher
from business_api.streams import WAITING, TooManyStreams
from device_registry.devices.models import Device, OpenCommand
from device_registry.devices.states import CommandState, Position, Status
from foundation.ids import new_id, new_ulid
from tests.business_api.conftest import Api, Estate
from tests.support.statements import statements
from tests.support.until import until

NOW = datetime.now(UTC)
HERE = UUID(int=9)


def actor(session_id: UUID | None = None) -> Actor:
    return Actor(new_id(), session_id or new_id(), "x", NOW)


def scope(*communities: UUID, **more: Any) -> Scope:
    """Of staff, of whole communities."""
    held = frozenset(communities)
    return Scope(held, **{"stations_of": held, "openings_of": held} | more)


def opening(house: UUID | None = None, at: datetime = NOW, json: str = "{}") -> Change:
    return Change("opening", HERE, (Item(house, json, at),), "id")


async def stations(community_id: UUID, count: int) -> list[UUID]:
    rows = [
        Device(
            id=new_id(),
            community_id=community_id,
            place_id=community_id,
            position=Position.GATE,
            name=f"{number:05}",
            mac=f"02{number:010x}",
            last_mac=f"02{number:010x}",
            status=Status.ACTIVE,
            comm_code=str(number),
        )
        for number in range(count)
    ]
    await Device.bulk_create(rows, batch_size=500)
    return [row.id for row in rows]


async def opened(device_id: UUID, community_id: UUID, count: int) -> None:
    now = datetime.now(UTC)
    rows = [
        OpenCommand(
            id=new_ulid(),
            device_id=device_id,
            community_id=community_id,
            mac="020000000000",
            state=CommandState.EXECUTED,
            by_kind="admin",
            by_id=new_id(),
            at=now,
            deadline=now,
            settled_at=now,
        )
        for _ in range(count)
    ]
    await OpenCommand.bulk_create(rows, batch_size=100)


async def test_a_slow_reader_is_let_go():
    watcher = Watcher(actor(), scope(HERE))
    for _ in range(WAITING):
        watcher.offer(opening())
    assert watcher.end is None
    watcher.offer(opening())
    assert watcher.end == "resync"
    assert await watcher.next(within=0) is None


async def test_a_reader_gets_what_waits_in_order_and_waits_no_longer_than_told():
    mine, hour = UUID(int=1), timedelta(hours=1)
    watcher = Watcher(actor(), scope(openings_of=(), houses={mine: NOW - hour}))
    watcher.offer(opening(UUID(int=2)))
    watcher.offer(opening(None))
    watcher.offer(opening(mine, NOW - 2 * hour))  # before it lived there
    assert await watcher.next(within=0.01) is None
    first, second = opening(mine, json="1"), opening(mine)
    watcher.offer(first)
    watcher.offer(second)
    assert await watcher.next(within=1) == first
    assert await watcher.next(within=1) == second


async def test_a_bug_in_the_loop_reaches_every_stream():
    watcher = Watcher(actor(), scope(HERE))
    waiting = asyncio.create_task(watcher.next(within=5))
    await asyncio.sleep(0)
    watcher.fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await waiting


async def test_one_look_says_all_and_the_next_nothing(api: Api, park: Estate):
    ids = await stations(park.id, AT_ONCE + 1)
    seen = Seen(park.id)
    assert await seen.look(api.context) == []
    await Device.filter(community_id=park.id).update(status=Status.SUSPENDED)
    await opened(ids[0], park.id, 3)
    with statements() as sql:
        changes = await seen.look(api.context)
    assert len(sql) == 3, sql
    assert changes is not None
    assert [(change.event, len(change.items)) for change in changes] == [
        ("presence", AT_ONCE),
        ("presence", 1),
        *[("opening", 1)] * 3,
    ]
    with statements() as sql:
        assert await seen.look(api.context) == []
    assert len(sql) == 2, sql
    await Device.filter(id=ids[0]).update(status=Status.UNBOUND, mac=None)
    gone = await seen.look(api.context)
    assert gone is not None
    assert '"status":"unbound"' in gone[0].data


async def test_more_openings_than_one_look_holds_are_read_again(api: Api, park: Estate):
    [door] = await stations(park.id, 1)
    seen = Seen(park.id)
    await opened(door, park.id, 3)
    await seen.look(api.context)
    await opened(door, park.id, NEWEST)
    assert await seen.look(api.context) is None
    assert await seen.look(api.context) == []


async def test_a_storm_costs_a_look_a_second_however_many_watch(api: Api, park: Estate):
    ids = await stations(park.id, 3)
    session_id = (await api.tokens("admin"))["session_id"]
    actors = [actor(UUID(session_id)) for _ in range(20)]
    live = Live(api.context, asyncio.Event())
    loop = asyncio.get_running_loop()

    async def watch(actor: Actor, into: list[Change]) -> None:
        async with live.watching(actor, scope(park.id)) as watcher:
            while watcher.end is None:
                if (change := await watcher.next(within=1)) is not None:
                    into.append(change)

    heard: list[list[Change]] = [[] for _ in actors]
    watching = [
        asyncio.create_task(watch(actor, into)) for actor, into in zip(actors, heard, strict=True)
    ]
    await until(lambda: len(live._watchers) == len(actors))
    with statements() as sql:
        began, kicks = loop.time(), 0
        while loop.time() < began + 3:
            await Device.filter(id=ids[0]).update(reader_number=str(kicks))  # changes nothing here
            api.context.wake.kick("presence")
            api.context.wake.kick("openings")
            kicks += 1
            await asyncio.sleep(0)
        await Device.filter(id=ids[1]).update(status=Status.SUSPENDED)
        api.context.wake.kick("presence")
        await until(lambda: all(heard))
    looks = [statement for statement in sql if statement.lstrip().startswith("SELECT")]
    assert kicks > 30
    assert len(looks) <= 2 * 6 + 2, f"{kicks} kicks, {len(looks)} statements"
    assert all(len(changes) == 1 for changes in heard)
    for task in watching:
        task.cancel()
    await asyncio.wait(watching)
    assert live._loop is None
    assert live._rooms == {}


async def test_rooms_are_shared_and_given_up(api: Api, park: Estate, sibling: Estate):
    live = Live(api.context, asyncio.Event())
    async with (
        live.watching(actor(), scope(park.id)),
        live.watching(actor(), scope(park.id, sibling.id)),
    ):
        assert {key: len(room.watchers) for key, room in live._rooms.items()} == {
            park.id: 2,
            sibling.id: 1,
        }
    assert live._rooms == {}


async def test_so_many_communities_are_watched_and_no_more(
    api: Api, park: Estate, sibling: Estate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live_feed, "MOST", 2)
    live = Live(api.context, asyncio.Event())
    async with live.watching(actor(), scope(park.id)):
        with pytest.raises(TooManyStreams):
            async with live.watching(actor(), scope(sibling.id, new_id())):
                pass
        async with live.watching(actor(), scope(park.id, sibling.id)):
            pass
    assert live._rooms == {}


async def test_a_stream_outlives_the_loss_of_another(api: Api, park: Estate):
    session_id = UUID((await api.tokens("admin"))["session_id"])
    live = Live(api.context, asyncio.Event())
    one, two = actor(session_id), actor(session_id)
    [door] = await stations(park.id, 1)
    async with live.watching(one, scope(park.id)) as first:
        async with live.watching(two, scope(park.id)):
            pass
        await Device.filter(id=door).update(status=Status.SUSPENDED)
        api.context.wake.kick("presence")
        change = await first.next(within=5)
        assert change is not None
        assert str(door) in change.data
    async with live.watching(one, scope(park.id)) as first:  # the loop begins anew
        await Device.filter(id=door).update(status=Status.ACTIVE)
        api.context.wake.kick("presence")
        assert await first.next(within=5) is not None
        live._stop.set()
        await until(lambda: first.end == "stopping")


async def test_a_loop_that_ends_late_ends_no_new_stream(
    api: Api, park: Estate, monkeypatch: pytest.MonkeyPatch
):
    who = actor(UUID((await api.tokens("admin"))["session_id"]))
    live, looks, go_on = Live(api.context, asyncio.Event()), asyncio.Event(), asyncio.Event()
    real = Seen.look

    async def slow(seen: Seen, context: Any) -> list[Change] | None:
        looks.set()
        await go_on.wait()
        return await real(seen, context)

    first = live.watching(who, scope(park.id))
    await first.__aenter__()
    monkeypatch.setattr(Seen, "look", slow)
    api.context.wake.kick("presence")
    await looks.wait()
    leaving = asyncio.create_task(first.__aexit__(None, None, None))  # waits for its loop
    await until(lambda: not live._watchers)
    second = live.watching(who, scope(park.id))
    coming = asyncio.create_task(second.__aenter__())
    await until(lambda: len(live._watchers) == 1)
    go_on.set()
    await leaving
    watcher = await coming
    assert watcher.end is None
    await second.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("why", "end"), [("database is locked", "resync"), ("no such table", None)]
)
async def test_a_database_that_is_away_ends_streams_kindly_and_a_bug_does_not(
    api: Api, park: Estate, monkeypatch: pytest.MonkeyPatch, why: str, end: str | None
):
    session_id = UUID((await api.tokens("admin"))["session_id"])
    who = actor(session_id)
    live = Live(api.context, asyncio.Event())

    async def look(seen: Seen, context: object) -> None:
        raise OperationalError(why)

    async with live.watching(who, scope(park.id)) as watcher:
        monkeypatch.setattr(Seen, "look", look)
        api.context.wake.kick("presence")
        if end is None:
            with pytest.raises(OperationalError):
                await watcher.next(within=5)
        else:
            assert await watcher.next(within=5) is None
        assert watcher.end == end
    monkeypatch.undo()
    async with live.watching(who, scope(park.id)) as watcher:
        assert watcher.end is None
