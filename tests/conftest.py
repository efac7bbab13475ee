"""Fixtures for every test: databases now, a whole site in `tests.support.site`."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tortoise.context import TortoiseContext

from foundation import db
from foundation.settings import Database
from tests.support import database as databases
from tests.support import postgres

DATABASES = os.environ.get("LINLI_TEST_DATABASES", "sqlite,postgres").split(",")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the long forms of tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="the long form: `make test-long`"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A server of our own, started when the first test needs it."""
    with postgres.server() as url:
        yield url


@pytest.fixture(params=DATABASES)
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    """An empty, migrated database of its own; the test runs once on each kind."""
    if request.param == "sqlite":
        yield await databases.sqlite(tmp_path, tmp_path_factory.getbasetemp())
        return
    async with databases.postgres(request.getfixturevalue("postgres_server")) as settings:
        yield settings


@pytest.fixture(params=DATABASES)
async def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of its own without a table in it."""
    if request.param == "sqlite":
        yield databases.at(tmp_path / "bare.sqlite3")
        return
    server = request.getfixturevalue("postgres_server")
    async with databases.postgres(server, empty=True) as settings:
        yield settings


@pytest.fixture
async def rows(database: Database) -> AsyncIterator[TortoiseContext]:
    """The database opened: models work inside the test."""
    async with db.opened(database) as context:
        yield context
