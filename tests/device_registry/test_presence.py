"""Presence follows the sessions of the broker, in whatever order their words arrive."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.context import TortoiseContext

from device_registry.access import grants
from device_registry.devices import commands, doors, queries
from device_registry.devices.admission import Opening
from device_registry.devices.models import Device, DeviceSession, SessionLog, Status
from device_registry.devices.presence import all_gone
from device_registry.devices.queries import Presence, Station
from device_registry.devices.states import CommandState
from device_registry.link import SessionChange
from device_registry.service import STATIONS, forget, measure
from foundation.ids import new_id
from foundation.wire.keys import DeviceKeys
from tests.device_registry import stations as scripted
from tests.device_registry.stations import COMMUNITY, Air, new_air, session
from tests.support.statements import statements

WORDS = st.lists(st.booleans(), min_size=1, max_size=4).flatmap(
    lambda ended: st.permutations(
        [
            (word, epoch)
            for epoch, end in enumerate(ended, 1)
            for word in ["up", "hello", "hb", *(["down"] if end else [])]
        ]
    )
)


async def seen(air: Air, station: scripted.Station) -> Station:
    found = await queries.station(station.id, air.now())
    assert found is not None
    return found


# --- one session ------------------------------------------------------------------------


async def test_from_never_to_online_to_stale_to_gone(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.station()
    found = await seen(air, station)
    assert (found.presence, found.since, found.reason) == (Presence.OFFLINE, None, "never")
    await station.begin()
    began = (await session(station)).since
    found = await seen(air, station)
    assert (found.presence, found.since, found.reason) == (Presence.STALE, began, "no_hello")
    await station.say("hello", station.hello(fw="2.0"))
    found = await seen(air, station)
    assert (found.presence, found.since, found.fw) == (Presence.ONLINE, began, "2.0")
    assert found.address == "192.0.2.7"
    heard = found.last_heard
    assert heard is not None
    air.context.clock.move(seconds=80)  # type: ignore[attr-defined]
    found = await seen(air, station)
    assert (found.presence, found.reason) == (Presence.STALE, "mute")
    assert found.since == heard + queries.STALE_AFTER
    await station.say("hb", station.heartbeat())
    assert (await seen(air, station)).presence is Presence.ONLINE
    await station.drop("timeout")
    found = await seen(air, station)
    assert (found.presence, found.reason) == (Presence.OFFLINE, "timeout")
    assert found.since is not None
    assert found.since > began


async def test_a_heartbeat_counts_for_its_own_session_and_forwards_only(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    up_ms = (await session(station)).up_ms
    await station.say("hb", station.heartbeat(up_ms=up_ms + 5000, rssi=-60))
    row = await session(station)
    assert (row.up_ms, row.heartbeat["rssi"]) == (up_ms + 5000, -60)
    for payload, epoch in (
        (station.heartbeat(up_ms=up_ms + 4000), None),
        (station.heartbeat(up_ms=up_ms + 9000, sess="0" * 32), None),
        (station.heartbeat(up_ms=up_ms + 9000), station.epoch - 1),
        (b"{}", None),
        (station.heartbeat(up_ms=up_ms + 9000).replace(b'"sess"', b'"a":"\\u0000","sess"'), None),
    ):
        await station.say("hb", payload, epoch)
        assert (await session(station)).up_ms == up_ms + 5000


async def test_a_will_ends_its_own_session_only(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await station.say("lwt", b'{"sess":"' + b"0" * 32 + b'"}')
    await station.say("lwt", station.will(), station.epoch - 1)
    assert (await seen(air, station)).presence is Presence.ONLINE
    await station.say("lwt", station.will())
    found = await seen(air, station)
    assert (found.presence, found.reason) == (Presence.OFFLINE, "will")
    await station.change(up=False, reason="reset")
    assert (await seen(air, station)).reason == "will"
    await station.say("hello", station.hello())
    assert (await seen(air, station)).presence is Presence.OFFLINE


@pytest.mark.parametrize("forgery", ["key", "version", "other", "junk", "unknown"])
async def test_only_its_own_hello_is_believed(rows: TortoiseContext, forgery: str) -> None:
    air = new_air()
    station, other = await air.station(1), await air.station(2)
    await station.begin()
    right = station.keys
    match forgery:
        case "key":
            station.keys = DeviceKeys.of(b"x" * 32)
            payload = station.hello()
        case "version":
            payload = station.hello(secret_ver=7)
        case "other":
            other.sess = station.sess
            payload = other.hello()
        case "unknown":
            payload = station.hello()
            await Device.filter(id=station.id).update(mac=None)
        case _:
            payload = b"[]"
    station.keys = right
    await station.say("hello", payload)
    assert (await session(station)).sess == ""


# --- epochs -----------------------------------------------------------------------------


async def test_a_late_end_of_an_old_session_ends_nothing(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    old = station.epoch
    await station.connect()  # take-over: the end of the old one comes after the new beginning
    await station.change(up=False, epoch=old, reason="taken_over")
    found = await seen(air, station)
    assert (found.presence, found.reason) == (Presence.ONLINE, "")
    outcome = await commands.open(
        air.context,
        Opening(device_id=station.id, by_id=new_id(), staff_of=[COMMUNITY]),
    )
    assert outcome.state is CommandState.EXECUTED


async def test_beginning_and_end_in_one_batch(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.station()
    await air.watchers[0](
        [
            SessionChange(station.mac, 5, True, air.now(), address="192.0.2.1"),
            SessionChange(station.mac, 6, True, air.now(), address="192.0.2.2"),
            SessionChange(station.mac, 5, False, air.now(), "taken_over"),
            SessionChange(station.mac, 6, False, air.now(), "reset"),
        ]
    )
    row = await session(station)
    assert (row.epoch, row.online, row.reason, row.address) == (6, False, "reset", "192.0.2.2")
    assert await SessionLog.all().count() == 4


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=WORDS, size=st.integers(1, 4))
async def test_whatever_the_order_presence_never_outlives_the_latest_session(
    rows: TortoiseContext, words: list[tuple[str, int]], size: int
) -> None:
    """Not only the orders that the broker can produce: any order of any words."""
    air = new_air()
    station = await air.station(await Device.all().count() + 1)
    sess = {epoch: f"{epoch:032x}" for _, epoch in words}
    done: set[tuple[str, int]] = set()
    for start in range(0, len(words), size):
        for word, epoch in words[start : start + size]:
            station.sess = sess[epoch]
            match word:
                case "up" | "down":
                    await station.change(up=word == "up", epoch=epoch, reason="reset")
                case "hello":
                    await station.say("hello", station.hello(), epoch)
                case "hb":
                    await station.say("hb", station.heartbeat(), epoch)
            done.add((word, epoch))
        top = max((epoch for word, epoch in done if word != "hb"), default=None)
        row = await DeviceSession.get_or_none(mac=station.mac)
        if top is None:
            assert row is None
            continue
        assert row is not None
        assert row.epoch == top
        assert row.online == (("down", top) not in done)
        if row.online:
            assert row.sess == (sess[top] if ("hello", top) in done else "")
        presence = (await seen(air, station)).presence
        assert (presence is Presence.ONLINE) == (row.online and row.sess != "")


async def test_a_broker_that_begins_anew_knows_nobody(rows: TortoiseContext) -> None:
    air = new_air()
    station, gone = await air.connected(1), await air.connected(2)
    await gone.drop()
    assert await all_gone("restart", air.now()) == 1
    found = await seen(air, station)
    assert (found.presence, found.reason) == (Presence.OFFLINE, "restart")
    assert (await seen(air, gone)).reason == "reset"
    # A clock that went back while we were down must not make new sessions look old.
    air.epoch = 1
    await station.connect()
    await gone.connect()
    assert (await seen(air, station)).presence is Presence.ONLINE
    assert (await seen(air, gone)).presence is Presence.ONLINE


# --- two boxes of one name ----------------------------------------------------------------


async def test_a_boot_counter_that_goes_back_is_a_copy(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.station()
    station.boot = 7
    await station.connect()
    station.boot = 6
    await station.connect()
    assert (await Device.get(id=station.id)).status is Status.QUARANTINED
    assert station.mac in air.kicked
    assert (await session(station)).sess == ""  # its hello was not taken


async def test_a_box_that_was_wiped_has_a_new_secret_and_counts_anew(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.station()
    station.boot = 7
    await station.connect()
    air.context.clock.move(seconds=5)  # type: ignore[attr-defined]
    await Device.filter(id=station.id).update(secret_at=air.now())
    station.boot = 1
    await station.connect()
    assert (await Device.get(id=station.id)).status is Status.ACTIVE
    assert (await seen(air, station)).presence is Presence.ONLINE


# --- what it costs ------------------------------------------------------------------------


async def test_words_of_many_stations_cost_what_one_costs(rows: TortoiseContext) -> None:
    air = new_air()
    costs = []
    for many in (1, 5):
        stations = [await air.station(many * 10 + n) for n in range(many)]
        for station in stations:
            station.epoch, station.sess = air.next_epoch(), f"{air.epoch:032x}"
        changes = [SessionChange(s.mac, s.epoch, True, air.now()) for s in stations]
        ends = [SessionChange(s.mac, s.epoch, False, air.now(), "reset") for s in stations]
        with statements() as sql:
            await air.watchers[0](changes)
            marks = [len(sql)]
            await air.say("hello", [s.heard(s.hello()) for s in stations])
            marks.append(len(sql))
            await air.say("hb", [s.heard(s.heartbeat()) for s in stations])
            marks.append(len(sql))
            await air.say("lwt", [s.heard(s.will()) for s in stations])
            marks.append(len(sql))
            await air.watchers[0](ends)
            marks.append(len(sql))
        costs.append(marks)
    assert costs[0] == costs[1] == [2, 4, 5, 6, 8]


@pytest.mark.parametrize("many", [1, 5])
async def test_reads_cost_what_they_say(rows: TortoiseContext, many: int) -> None:
    air = new_air()
    stations = [await air.connected(number) for number in range(1, many + 1)]
    person = new_id()
    await grants.set_remote(person, None, [station.place for station in stations])
    with statements() as sql:
        page, total = await queries.stations([COMMUNITY], air.now())
        assert (len(page), total, len(sql)) == (many, many, 2)
        assert len(await doors.doors_of(person, air.now())) == many
        assert len(sql) == 3
        assert await queries.station(stations[0].id, air.now())
        assert len(sql) == 4
        await queries.timeline(
            stations[0].mac, air.now() - timedelta(days=1), air.now() + timedelta(days=1)
        )
        assert len(sql) == 5
        await measure(air.now(), queries.STALE_AFTER)
        assert len(sql) == 6


# --- lists ------------------------------------------------------------------------------


async def test_stations_by_search_status_and_presence(rows: TortoiseContext) -> None:
    air = new_air()
    gate = await air.connected(1, name="东门 100%", comm_code="AB12CD")
    mute = await air.connected(2, name="西门")
    never = await air.station(3, name="北门", status=Status.SUSPENDED)
    await air.station(4, name="南门", status=Status.UNBOUND, mac=None)
    await air.station(5, community_id=new_id())
    await mute.begin()

    async def names(**wanted: Any) -> list[str]:
        page, total = await queries.stations([COMMUNITY], air.now(), **wanted)
        assert total == len(page)
        return [station.name for station in page]

    assert await names() == ["东门 100%", "北门", "西门"]
    assert await names(search="门") == ["东门 100%", "北门", "西门"]
    assert await names(search="0%") == ["东门 100%"]
    assert await names(search="_") == []
    assert await names(search="ab12") == ["东门 100%"]
    assert await names(search=f"00:00:00:00:00:{gate.mac[-2:]}".upper()) == ["东门 100%"]
    assert await names(status=Status.SUSPENDED) == ["北门"]
    assert await names(status=Status.UNBOUND) == ["南门"]
    assert await names(presence=Presence.ONLINE) == ["东门 100%"]
    assert await names(presence=Presence.STALE) == ["西门"]
    assert await names(presence=Presence.OFFLINE) == ["北门"]
    assert await names(search="'; --\0") == []
    air.context.clock.move(minutes=5)  # type: ignore[attr-defined]
    assert await names(presence=Presence.STALE) == ["东门 100%", "西门"]
    page, total = await queries.stations([COMMUNITY], air.now(), page=2, size=2)
    assert ([station.name for station in page], total) == (["西门"], 3)
    assert await queries.station(never.id, air.now()) is not None
    assert await queries.station(new_id(), air.now()) is None


async def test_doors_of_a_person(rows: TortoiseContext) -> None:
    air = new_air()
    one = await air.connected(1)
    two = await air.station(2, status=Status.SUSPENDED)
    later = await air.station(3)
    person, house, second = new_id(), new_id(), new_id()
    await grants.set_remote(person, house, [one.place, two.place])
    await grants.set_remote(person, second, [one.place])
    await grants.set_remote(
        person, None, [later.place], valid_from=air.now() + timedelta(minutes=1)
    )

    async def mine() -> list[tuple[Any, Any, Any]]:
        found = await doors.doors_of(person, air.now())
        assert await doors.doors(person, (), air.now()) == (found, len(found))
        return [(door.device_id, door.house_id, door.presence) for door in found]

    assert sorted(await mine(), key=str) == sorted(
        [(one.id, house, Presence.ONLINE), (one.id, second, Presence.ONLINE)], key=str
    )
    air.context.clock.move(seconds=61)  # type: ignore[attr-defined]
    assert (later.id, None, Presence.OFFLINE) in await mine()
    await grants.suspend_remote(person, suspended=True)
    assert await mine() == []
    assert await doors.doors_of(new_id(), air.now()) == []


async def test_doors_of_staff_who_live_there_too(rows: TortoiseContext) -> None:
    air = new_air()
    elsewhere = new_id()
    one, two = await air.connected(1, name="A"), await air.connected(2, name="B")
    await air.station(3, name="C", status=Status.SUSPENDED)
    far = await air.connected(4, name="D", community_id=elsewhere)
    home = await air.connected(5, name="E", community_id=new_id())
    person, house = new_id(), new_id()
    await grants.set_remote(person, house, [one.place, home.place])

    async def found(staff_of: Any, **wanted: Any) -> list[tuple[Any, bool]]:
        with statements() as sql:
            page, total = await doors.doors(person, staff_of, air.now(), **wanted)
        assert len(sql) == 2
        assert total == len(page)
        return [(door.device_id, door.house_id == house) for door in page]

    assert await found(()) == [(one.id, True), (home.id, True)]
    staff = await found([COMMUNITY])
    assert sorted(staff, key=str) == sorted(
        [(one.id, True), (one.id, False), (two.id, False), (home.id, True)], key=str
    )
    assert len(await found([COMMUNITY, elsewhere])) == 5
    assert len(await found(None)) == 6
    assert await found([COMMUNITY, elsewhere], communities=[elsewhere]) == [(far.id, False)]
    assert await found([COMMUNITY], communities=()) == []
    assert await found([COMMUNITY], search="b") == [(two.id, False)]
    assert await found([COMMUNITY], search="b", communities=[elsewhere]) == []
    page, total = await doors.doors(person, [COMMUNITY], air.now(), page=2, size=3)
    assert ([door.device_id for door in page], total) == ([home.id], 4)


async def test_the_timeline_and_how_long_it_is_kept(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await station.drop("timeout")
    await station.connect()
    start = air.now() - timedelta(hours=1)

    async def line() -> list[tuple[bool, str]]:
        found = await queries.timeline(station.mac, start, air.now() + timedelta(hours=1))
        return [(change.up, change.reason) for change in found]

    assert await line() == [(True, ""), (False, "timeout"), (True, "")]
    assert len(await queries.timeline(station.mac, start, air.now(), limit=1)) == 1
    assert await forget(air.now() - timedelta(days=90)) == 0
    assert await forget(air.now() + timedelta(seconds=1)) == 3
    assert await line() == []


async def test_stations_are_counted_by_state(rows: TortoiseContext) -> None:
    air = new_air()
    await air.connected(1)
    await (await air.station(2)).begin()
    await air.station(3)
    await air.station(4, status=Status.SUSPENDED)
    await measure(air.now(), queries.STALE_AFTER)
    counted = {
        sample.labels["state"]: sample.value
        for metric in STATIONS.collect()
        for sample in metric.samples
    }
    assert counted["online"] == counted["stale"] == counted["offline"] == counted["suspended"] == 1
    assert counted["quarantined"] == 0
