"""A running platform for each promise, on each database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundation.settings import Database
from tests.support import site as sites
from tests.support.site import Site


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    """Everything served, with the community 柏树园 and its admin."""
    async with sites.running(sites.settings(tmp_path / "data", database)) as site:
        yield site
