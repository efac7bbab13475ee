"""The registry as a service: what it hears, what it does by itself, what it says of itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError

from device_registry import service
from device_registry.devices import commands
from device_registry.devices.admission import Opening
from device_registry.devices.models import OpenCommand
from device_registry.devices.states import CommandState
from device_registry.link import DeviceInbox
from foundation import db
from foundation.ids import new_id
from foundation.runner import Context
from foundation.settings import Database
from tests.device_registry.stations import COMMUNITY, Air, new_air
from tests.support.outage import outage
from tests.support.until import until


@asynccontextmanager
async def running(air: Air) -> AsyncIterator[None]:
    stop = asyncio.Event()
    await air.registry.start()
    task = asyncio.create_task(air.registry.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
        await air.registry.close()


async def test_it_hears_what_stations_say(rows: TortoiseContext) -> None:
    air = new_air()
    assert set(air.handlers) == {"hello", "hb", "lwt", "res", "evt"}
    assert len(air.watchers) == 1


async def test_without_a_broker_it_cannot_be_built() -> None:
    air = new_air()
    with pytest.raises(LookupError, match=DeviceInbox.__name__):
        service.build(Context(air.context.settings, air.context.keyring))


async def test_it_settles_what_a_dead_process_left(rows: TortoiseContext) -> None:
    air = new_air(registry_period=timedelta(seconds=0.02))
    station = await air.connected()
    station.answers = False
    wish = Opening(device_id=station.id, by_id=new_id(), staff_of=[COMMUNITY])
    opening = asyncio.create_task(commands.open(air.context, wish))
    await until(lambda: station.commands)
    opening.cancel()
    async with running(air):

        async def settled() -> bool:
            return (await OpenCommand.get()).state is CommandState.UNKNOWN

        await until(settled)


async def test_readiness_says_when_it_stands_still(rows: TortoiseContext) -> None:
    air = new_air(registry_period=timedelta(seconds=0.02))
    assert await air.registry.trouble() == "not started"
    async with running(air):
        assert await air.context.health.trouble() == {}

    async def late() -> bool:
        return bool(await air.registry.trouble())

    await until(late)


async def test_a_database_that_goes_away_is_waited_for(
    rows: TortoiseContext, database: Database
) -> None:
    air = new_air(registry_period=timedelta(seconds=0.02))
    async with running(air):
        async with outage(database):

            async def lost() -> bool:
                return bool(await air.registry.trouble())

            await until(lost)

        async def back() -> bool:
            return await air.registry.trouble() is None

        await until(back)


async def test_a_bug_is_not_waited_for(rows: TortoiseContext) -> None:
    air = new_air(registry_period=timedelta(seconds=0.02))
    await air.registry.start()
    await db.connection().execute_script("ALTER TABLE registry_open_command RENAME TO elsewhere")
    with pytest.raises(OperationalError):
        await asyncio.wait_for(air.registry.run(asyncio.Event()), 5)
