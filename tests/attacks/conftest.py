"""Every attack is tried on both: it must work on the one and be harmless on the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attacks.ours import OurTarget, our_target
from tests.attacks.raw import Dial, wires
from tests.attacks.target import Target, plain_target


@pytest.fixture(params=["plain", "ours"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Target]:
    """What is attacked."""
    async with plain_target() if request.param == "plain" else our_target(tmp_path) as aim:
        yield aim


@pytest.fixture
async def dial(target: Target) -> AsyncIterator[Dial]:
    """Opens connections to the target."""
    async with wires(target.port) as dial:
        yield dial


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[OurTarget]:
    """Ours only, for what a plain broker has no counterpart of."""
    async with our_target(tmp_path) as aim:
        yield aim
