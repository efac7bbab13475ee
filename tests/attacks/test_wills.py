"""A2: a will skips the access list."""

import pytest

from tests.attacks.raw import Dial, Will
from tests.attacks.target import Target, harmed


@pytest.mark.parametrize("retain", [False, True])
async def test_one_stolen_station_commands_no_other(
    target: Target, dial: Dial, retain: bool
) -> None:
    """It dies with a will on its neighbour's command topic."""
    neighbour = await target.neighbour.online(await dial())
    thief = await dial()
    will = Will(target.neighbour.command, b"open!", retain=retain)
    if await target.thief.login(thief, will=will) == 0:
        thief.reset()

    opened = await harmed(target, lambda: any(m.payload == b"open!" for m in neighbour.heard))
    assert opened is target.vulnerable
