"""Somebody between a station and a listener without TLS: reads, holds back, and slips in."""

import asyncio

import pytest
from tortoise.context import TortoiseContext

from device_registry.devices import commands
from device_registry.devices.admission import Opening
from device_registry.devices.commands import Outcome
from device_registry.devices.models import Device, Status
from device_registry.devices.states import CommandState
from foundation.ids import new_id
from foundation.wire.hello import Heartbeat
from tests.device_registry.stations import COMMUNITY, Air, Clock, Station, new_air, session

DEADLINE_MS = 400
"""Of `new_air`."""


@pytest.fixture
async def air(rows: TortoiseContext) -> Air:
    return new_air()


async def press(air: Air, station: Station) -> Outcome:
    wish = Opening(device_id=station.id, by_id=new_id(), staff_of=[COMMUNITY])
    return await commands.open(air.context, wish)


async def deadline(air: Air, station: Station) -> int:
    """How far ahead of the station's uptime the deadline of a command is, milliseconds."""
    before = station.up_ms
    assert (await press(air, station)).state is CommandState.EXECUTED
    return station.commands[-1].exp_up - before


@pytest.mark.parametrize("ahead", [1_000, 14_000, 3_600_000, 2**52])
async def test_a_forged_uptime_moves_no_deadline(air: Air, ahead: int) -> None:
    """With it, a command held back for an hour would still be in time at the door."""
    station = await air.connected()
    assert await deadline(air, station) <= DEADLINE_MS + 50
    forged = Heartbeat(sess=station.sess, up_ms=station.up_ms + ahead).dump()
    true = Heartbeat.model_validate_json(station.heartbeat())
    moved = true.model_copy(update={"up_ms": station.up_ms + ahead}).dump()
    for payload in (forged, moved):
        await station.say("hb", payload)
        assert await deadline(air, station) <= DEADLINE_MS + 50


async def test_a_recorded_uptime_moves_it_earlier_at_most(air: Air) -> None:
    station = await air.connected()
    recorded = station.heartbeat()
    await station.connect()
    await station.say("hb", recorded)  # of the session before
    assert await deadline(air, station) <= DEADLINE_MS + 50
    recorded = station.heartbeat()
    await asyncio.sleep(0.2)
    await station.say("hb", recorded)
    assert await deadline(air, station) <= DEADLINE_MS - 150


async def test_a_heartbeat_of_another_station_proves_nothing(air: Air) -> None:
    station, thief = await air.connected(1), await air.connected(2)
    thief.booted -= 3600
    thief.sess, own = station.sess, thief.sess
    forged = thief.heartbeat()
    thief.sess = own
    await station.say("hb", forged)
    assert await deadline(air, station) <= DEADLINE_MS + 50


async def test_without_a_proven_uptime_nothing_is_sent_after_an_hour(air: Air) -> None:
    """Two clocks drift apart: a word an hour old says nothing exact about the deadline."""
    station = await air.connected()
    assert isinstance(air.context.clock, Clock)
    air.context.clock.move(minutes=61)
    await station.say("hb", Heartbeat(sess=station.sess, up_ms=station.up_ms).dump())
    outcome = await press(air, station)
    assert (outcome.state, outcome.code) == (CommandState.OFFLINE, "no_uptime")
    await station.say("hb", station.heartbeat())
    assert (await press(air, station)).state is CommandState.EXECUTED


async def test_a_recorded_hello_locks_nobody_out(air: Air) -> None:
    """It names an earlier boot: believed, the honest station would look like a copy of itself."""
    station = await air.connected()
    recorded = station.hello()
    station.boot += 1
    await station.connect()
    await station.say("hello", recorded)
    assert (await Device.get(id=station.id)).status is Status.ACTIVE
    assert (await session(station)).sess == station.sess
    assert (await press(air, station)).state is CommandState.EXECUTED
