"""Every attack is tried on both: it must work on the one and be harmless on the other."""

from collections.abc import AsyncIterator

import pytest

from tests.attacks.raw import Dial, wires
from tests.attacks.target import Target, plain_target


@pytest.fixture(params=["plain"])
async def target(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """What is attacked."""
    async with plain_target() as plain:
        yield plain


@pytest.fixture
async def dial(target: Target) -> AsyncIterator[Dial]:
    """Opens connections to the target."""
    async with wires(target.port) as dial:
        yield dial
