"""A thief with all that is in one station's storage, against the stations of others."""

import asyncio

import pytest
from tortoise.context import TortoiseContext

from device_registry.devices import commands
from device_registry.devices.admission import Opening
from device_registry.devices.models import OpenCommand
from device_registry.devices.states import CommandState
from device_registry.link import Heard
from foundation.ids import new_id
from foundation.wire.command import Code
from foundation.wire.events import EventBatch
from tests.device_registry.stations import COMMUNITY, Air, Station, new_air
from tests.support.until import until


@pytest.fixture
async def air(rows: TortoiseContext) -> Air:
    return new_air(open_deadline=2)


async def opened(air: Air, victim: Station) -> tuple[OpenCommand, "asyncio.Task[commands.Outcome]"]:
    """A command that the victim has, and has not answered yet."""
    victim.answers = False
    wish = Opening(device_id=victim.id, by_id=new_id(), staff_of=[COMMUNITY])
    waiting = asyncio.create_task(commands.open(air.context, wish))
    await until(lambda: victim.commands)
    return await OpenCommand.get(id=victim.commands[-1].id), waiting


@pytest.mark.parametrize("code", list(Code))
async def test_it_answers_no_command_of_another(air: Air, code: Code) -> None:
    """Not alone, and not in one commit before the true answer, which counts then."""
    victim, thief = await air.connected(1), await air.connected(2)
    command, waiting = await opened(air, victim)
    forged = [
        thief.heard(thief.result(command.id, code=code)),
        thief.heard(thief.result(command.id, code=code, sess=victim.sess)),
        Heard(victim.mac, victim.epoch, thief.result(command.id, code=code), air.now()),
    ]
    await air.say("res", forged)
    assert (await OpenCommand.get(id=command.id)).state is CommandState.SENT
    await air.say("res", [*forged, victim.heard(victim.result(command.id))])
    assert (await waiting).state is CommandState.EXECUTED


@pytest.mark.parametrize("type_", ["remote.open", "remote.refused"])
async def test_its_journal_settles_no_command_of_another(air: Air, type_: str) -> None:
    victim, thief = await air.connected(1), await air.connected(2)
    command, waiting = await opened(air, victim)

    def told(by: Station, kind: str) -> Heard:
        event = by.event(kind, cmd_id=command.id, result="busy", hold_ms=1)
        return by.heard(EventBatch(events=(event,)).dump())

    await air.say("evt", [told(thief, type_)])
    assert (await OpenCommand.get(id=command.id)).state is CommandState.SENT
    await air.say("evt", [told(thief, type_), told(victim, "remote.open")])
    assert (await waiting).state is CommandState.EXECUTED
