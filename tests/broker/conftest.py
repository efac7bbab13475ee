"""A lab for every test that asks for one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.broker import lab as labs

MakeLab = Callable[..., AbstractAsyncContextManager[labs.Lab]]


@pytest.fixture
def make_lab(tmp_path: Path) -> MakeLab:
    """`async with make_lab(inflight=5) as lab`: settings of the broker by name."""

    def make(**broker: Any) -> AbstractAsyncContextManager[labs.Lab]:
        return labs.running(labs.settings(tmp_path, **broker))

    return make


@pytest.fixture
async def lab(make_lab: MakeLab) -> AsyncIterator[labs.Lab]:
    """One with the ordinary settings."""
    async with make_lab() as made:
        yield made
