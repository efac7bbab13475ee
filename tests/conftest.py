"""Fixtures for every test: databases now, a whole site in `tests.support.site`."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from tortoise.context import TortoiseContext

from foundation import db
from foundation.settings import Database
from tests.support import postgres

DATABASES = os.environ.get("LINLI_TEST_DATABASES", "sqlite,postgres").split(",")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A server of our own, started when the first test needs it."""
    with postgres.server() as url:
        yield url


@pytest.fixture(params=DATABASES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty, migrated database of its own; the test runs once on each kind."""
    if request.param == "sqlite":
        settings = Database(
            url=SecretStr(f"sqlite://{tmp_path}/linli.sqlite3"), sqlite_synchronous="NORMAL"
        )
        await _create(settings)
        yield settings
        return
    server = request.getfixturevalue("postgres_server")
    name = f"t{uuid.uuid4().hex}"
    admin = await asyncpg.connect(f"{server}/postgres")
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        settings = Database(url=SecretStr(f"{server}/{name}"))
        await _create(settings)
        yield settings
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


async def _create(settings: Database) -> None:
    async with db.opened(settings) as context:
        await context.generate_schemas()


@pytest.fixture
async def rows(database: Database) -> AsyncIterator[TortoiseContext]:
    """The database opened: models work inside the test."""
    async with db.opened(database) as context:
        yield context
