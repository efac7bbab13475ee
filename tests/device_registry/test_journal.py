"""Journals: stored once, acknowledged after COMMIT and never behind a hole."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.context import TortoiseContext

from device_registry.devices import commands
from device_registry.devices.admission import Opening
from device_registry.devices.models import Device, Status
from device_registry.devices.states import CommandState
from device_registry.journal.models import DeviceEvent, JournalHead
from foundation.ids import new_id, new_ulid
from foundation.wire.events import Event, EventBatch
from tests.device_registry.stations import COMMUNITY, Air, Station, in_a_transaction, new_air
from tests.support.statements import statements
from tests.support.until import until


async def stored(station: Station) -> list[int]:
    return (
        await DeviceEvent.filter(device_id=station.id)
        .order_by("seq")
        .values_list(  # type: ignore[return-value]
            "seq", flat=True
        )
    )


async def status(station: Station) -> Status:
    return (await Device.get(id=station.id)).status


def admin_wish(station: Station) -> Opening:
    return Opening(device_id=station.id, by_id=new_id(), staff_of=[COMMUNITY])


async def unknown(air: Air, station: Station) -> str:
    station.answers = False
    outcome = await commands.open(air.context, admin_wish(station))
    assert outcome.state is CommandState.UNKNOWN
    return outcome.id


# --- storing ----------------------------------------------------------------------------


async def test_events_are_stored_as_they_came(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    house = new_id()
    event = station.event(
        "access.denied",
        door=2,
        result="no",
        reason="unknown",
        kind="card",
        value_hash="ab" * 16,
        house=str(house),
        acl=(1, 2),
        hold_ms=3,
    )
    other = station.event("something.new.entirely")
    await station.journal(event, other)
    row = await DeviceEvent.get(seq=1)
    assert (row.device_id, row.community_id, row.box) == (station.id, COMMUNITY, 1)
    assert (row.type, row.door, row.result, row.reason) == ("access.denied", 2, "no", "unknown")
    assert (row.kind, row.house_id, row.opening, row.clk) == ("card", house, True, "ok")
    assert row.at.timestamp() == pytest.approx(event.ts / 1000, abs=0.001)
    assert row.more["acl"] == [1, 2]
    assert row.more["value_hash"] == "ab" * 16
    assert (await DeviceEvent.get(seq=2)).opening is False
    assert station.acked == [2]


async def test_a_repeated_batch_changes_nothing_and_is_acknowledged_again(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    events = [station.event("access.granted", kind="card", clk="untrusted") for _ in range(3)]
    await station.journal(*events)
    before = await DeviceEvent.all().order_by("seq").values()
    air.context.clock.move(minutes=3)  # type: ignore[attr-defined]
    await station.journal(*events)
    batch = station.heard(EventBatch(events=tuple(events)).dump())
    await air.say("evt", [batch, batch])
    assert await DeviceEvent.all().order_by("seq").values() == before
    assert station.acked == [3, 3, 3]
    assert await status(station) is Status.ACTIVE


async def test_a_clock_that_is_not_trusted_or_not_possible_gives_way_to_ours(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    now = int(air.now().timestamp() * 1000)
    day = 86_400_000
    await station.journal(
        station.event("exit_button", clk="untrusted", ts=now - day),
        station.event("exit_button", ts=now + day),
        station.event("exit_button", ts=0),
        station.event("exit_button", ts=2**53),
        station.event("exit_button", ts=now - 30 * day),
    )
    *ours, late = await DeviceEvent.all().order_by("seq")
    for row in ours:
        assert (row.clk, row.at) == ("untrusted", row.received_at)
    assert late.clk == "ok"
    assert late.received_at - late.at > timedelta(days=29)
    assert ours[1].more["ts"] == now + day
    assert [row.id for row in ours] == sorted(row.id for row in ours)


async def test_an_event_that_cannot_be_read_does_not_stop_those_behind_it(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    good = station.event("power.boot").model_dump_json(exclude_none=True)
    payload = f'{{"events":[{good},{{"seq":2,"type":"NOT A TYPE"}}],"prev":0}}'.encode()
    await station.say("evt", payload)
    assert await DeviceEvent.all().order_by("seq").values_list("type", flat=True) == [
        "power.boot",
        "unreadable",
    ]
    assert station.acked == [2]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b'{"events":[]}',
        b'{"events":[{"type":"a"}]}',
        b'{"events":[1]}',
        b'{"events":[{"seq":1}],"prev":"x"}',
        b'{"events":' + b"[" * 5000,
    ],
)
async def test_what_is_no_batch_is_dropped(rows: TortoiseContext, payload: bytes) -> None:
    air = new_air()
    station = await air.connected()
    await station.say("evt", payload)
    assert await stored(station) == []
    assert station.acked == []
    await station.journal(station.event("power.boot"))
    assert station.acked == [1]


async def test_a_text_that_cannot_be_stored_is_stored_without_it(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await station.journal(station.event("access.denied", cid="a\0b"))
    assert (await DeviceEvent.get()).cid == "ab"


# --- acknowledging ------------------------------------------------------------------------


async def test_nothing_is_acknowledged_before_it_is_committed(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    inside: list[bool] = []
    air.before_send = lambda: inside.append(in_a_transaction())
    await station.journal(*(station.event("power.boot") for _ in range(3)))
    assert inside == [False]
    assert await stored(station) == [1, 2, 3]


async def test_nothing_behind_a_lost_message_is_acknowledged(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    first = [station.event("power.boot") for _ in range(2)]
    second = [station.event("net.up") for _ in range(2)]
    await station.journal(*second)  # the engine lost the first
    assert await stored(station) == [3, 4]
    assert station.acked == []
    await station.journal(*first)
    assert station.acked == [2]
    await station.journal(*second)
    assert station.acked == [2, 4]


async def test_a_hole_that_the_station_made_itself_is_acknowledged(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    alarm = station.event("tamper")
    station.seq = 50
    gap = station.event("gap", lost=(2, 50))
    await station.journal(alarm, gap, prev=0)
    assert station.acked == [51]
    station.seq = 80
    await station.journal(station.event("power.boot"), prev=51)
    assert station.acked == [51, 81]
    assert (await DeviceEvent.get(seq=51)).more["lost"] == [2, 50]


async def test_what_nobody_holds_any_more_is_not_waited_for(rows: TortoiseContext) -> None:
    """We lost what we had stored (a backup was restored); the station says where it begins."""
    air = new_air()
    station = await air.station()
    station.seq = 40
    await station.begin()
    await station.say("hello", station.hello(evt=(41, 41)))
    await station.journal(station.event("power.boot"))
    assert station.acked == [41]


async def test_an_acknowledgement_says_no_more_than_what_was_sent(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    events = [station.event("power.boot") for _ in range(5)]
    await station.journal(*events)
    await station.journal(*events[:2])
    assert station.acked == [5, 2]


async def test_a_station_without_a_hello_is_stored_and_acknowledged_when_it_comes_again(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.station()
    await station.begin()
    event = station.event("power.boot")
    await station.journal(event)
    assert (await stored(station), station.acked) == ([1], [])
    await station.say("hello", station.hello())
    await station.journal(event)
    assert station.acked == [1]


async def test_a_station_that_went_away_is_no_trouble(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    air.live.clear()
    await station.journal(station.event("power.boot"))
    assert await stored(station) == [1]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_whatever_is_lost_repeated_or_reordered_no_acknowledged_event_is_missing(
    rows: TortoiseContext, data: st.DataObject
) -> None:
    """A station with several messages in flight, and an engine that loses and swaps them."""
    air = new_air()
    station = await air.connected(await Device.all().count() + 1)
    held: list[Event] = []
    for _ in range(data.draw(st.integers(1, 6))):
        held += [station.event("power.boot") for _ in range(data.draw(st.integers(1, 4)))]
        if len(held) > 3 and data.draw(st.booleans()):
            del held[data.draw(st.integers(0, len(held) - 2))]  # dropped, its journal was full
        messages, prev, left = [], 0, list(held)
        while left:
            size = data.draw(st.integers(1, 3))
            part, left = left[:size], left[size:]
            messages.append((part, prev))
            prev = part[-1].seq
        order = data.draw(st.permutations(messages))
        for part, before in order[: data.draw(st.integers(0, len(order)))]:
            acked = len(station.acked)
            await station.journal(*part, prev=before)
            have = set(await stored(station))
            for upto in station.acked[acked:]:
                assert {event.seq for event in held if event.seq <= upto} <= have
                held = [event for event in held if event.seq > upto]
    if held:
        await station.journal(*held, prev=0)  # the network is well again
        assert station.acked[-1] == held[-1].seq


# --- copies -------------------------------------------------------------------------------


async def test_a_number_used_twice_is_a_copy(rows: TortoiseContext) -> None:
    air = new_air()
    station, honest = await air.connected(1), await air.connected(2)
    await station.journal(station.event("power.boot"))
    station.seq = 0
    again = station.heard(EventBatch(events=(station.event("tamper"),)).dump())
    other = honest.heard(EventBatch(events=(honest.event("tamper"),)).dump())
    await air.say("evt", [again, other])
    assert await status(station) is Status.QUARANTINED
    assert await status(honest) is Status.ACTIVE
    assert station.acked == [1]
    assert honest.acked == [1]
    assert (await DeviceEvent.get(device_id=station.id)).type == "power.boot"


async def test_a_number_used_twice_in_one_batch_is_a_copy(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    one = station.event("power.boot")
    station.seq = 0
    await station.journal(one, station.event("tamper"))
    assert await status(station) is Status.QUARANTINED
    assert station.acked == []


async def test_a_journal_that_ends_before_what_we_have_is_a_copy(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await station.journal(*(station.event("power.boot") for _ in range(5)))
    await station.begin()
    await station.say("hello", station.hello(evt=(0, 0)))  # empty: all was acknowledged
    assert await status(station) is Status.ACTIVE
    await station.begin()
    await station.say("hello", station.hello(evt=(1, 3)))
    assert await status(station) is Status.QUARANTINED


async def test_a_replaced_box_begins_its_journal_anew(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await station.journal(*(station.event("power.boot") for _ in range(3)))
    await Device.filter(id=station.id).update(box=2)
    station.seq = 0
    await station.say("hello", station.hello(evt=(0, 0)))
    await station.journal(station.event("tamper"))
    assert await status(station) is Status.ACTIVE
    assert station.acked == [3, 1]
    head = await JournalHead.get(device_id=station.id)
    assert (head.box, head.upto) == (2, 1)


async def test_a_newer_platform_that_understands_more_sees_no_copy(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await station.say("evt", b'{"events":[{"seq":1,"type":"NEW TYPE"}],"prev":0}')
    await DeviceEvent.all().update(more={"ts": 0, "added_later": 1})
    await station.journal(station.event("power.boot"), prev=0)
    assert await status(station) is Status.ACTIVE


# --- commands -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "facts", "state", "code"),
    [
        ("remote.open", {"result": "ok", "hold_ms": 5000}, CommandState.EXECUTED, "ok"),
        ("remote.refused", {"reason": "lockdown"}, CommandState.REFUSED, "lockdown"),
        ("remote.open", {"result": "unknown"}, CommandState.UNKNOWN, ""),
        ("door.opened", {}, CommandState.UNKNOWN, ""),
    ],
)
async def test_the_journal_settles_what_was_unknown(
    rows: TortoiseContext, kind: str, facts: dict[str, Any], state: CommandState, code: str
) -> None:
    air = new_air()
    station = await air.connected()
    id_ = await unknown(air, station)
    with air.context.wake.listen(f"command/{id_}") as told:
        await station.journal(station.event(kind, cmd_id=id_, **facts))
        assert told.is_set() == (state is not CommandState.UNKNOWN)
    outcome = await commands.outcome(id_)
    assert outcome is not None
    assert (outcome.state, outcome.code) == (state, code)
    assert outcome.pulsed_ms == facts.get("hold_ms", 0)
    assert (await DeviceEvent.get()).opening is False


async def test_the_journal_of_another_station_settles_nothing(rows: TortoiseContext) -> None:
    air = new_air()
    station, other = await air.connected(1), await air.connected(2)
    id_ = await unknown(air, station)
    await other.journal(other.event("remote.open", cmd_id=id_))
    outcome = await commands.outcome(id_)
    assert outcome is not None
    assert outcome.state is CommandState.UNKNOWN
    assert (await DeviceEvent.get()).opening is True  # listed where it says it happened


async def test_an_opening_that_we_know_no_command_of_is_listed(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await station.journal(station.event("remote.open", cmd_id=new_ulid()))
    assert (await DeviceEvent.get()).opening is True


async def test_an_event_that_comes_before_the_result_settles_too(rows: TortoiseContext) -> None:
    air = new_air(open_deadline=timedelta(seconds=10))
    station = await air.connected()
    station.answers = False
    opening = asyncio.create_task(commands.open(air.context, admin_wish(station)))
    await until(lambda: station.commands)
    id_ = station.commands[0].id
    await station.journal(station.event("remote.open", cmd_id=id_, result="ok"))
    assert (await opening).state is CommandState.EXECUTED
    await station.say("res", station.result(id_))


# --- what it costs ------------------------------------------------------------------------


async def test_a_batch_costs_the_same_for_any_number_of_stations_and_events(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    costs = []
    for many in (1, 5):
        stations = [await air.connected(many * 10 + n) for n in range(many)]
        ids = [await unknown(air, station) for station in stations]
        marks = []
        plain = [
            s.heard(EventBatch(events=tuple(s.event("access.granted") for _ in range(many))).dump())
            for s in stations
        ]
        settling = [
            s.heard(EventBatch(events=(s.event("remote.open", cmd_id=id_),)).dump())
            for s, id_ in zip(stations, ids, strict=True)
        ]
        for batch in (plain, plain, settling):
            with statements() as sql:
                await air.say("evt", batch)
            marks.append(len([text for text in sql if "advisory" not in text]))
        costs.append(marks)
    # Who speaks, insert, heads read and written; again: what is stored; settling: which
    # commands, locked, settled, audit 2.
    assert costs[0] == costs[1] == [4, 4, 9], costs
