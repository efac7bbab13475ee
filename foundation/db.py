"""The database: one URL, one app label a package, SQLite or PostgreSQL.

Trap: a task started inside a transaction inherits its connection. Start tasks outside.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, DBConnectionError, OperationalError

from foundation.errors import DomainError, Kind
from foundation.settings import Database

UNREACHABLE = (OSError, asyncpg.PostgresError, sqlite3.Error, BaseORMException)
"""What connecting raises, by dialect and layer."""


AWAY: Final[tuple[type[Exception], ...]] = (
    DBConnectionError,
    OperationalError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
)
"""What a database that is down, starting, full or locked raises; ask `is_away` too."""

_SIGNS: Final = (
    *("is closed", "is locked", "is full", "disk i/o error"),
    "cannot switch to state",  # a pooled connection was told its end while it was idle
)


class BadDatabase(DomainError):
    """The database URL is not one of ours, or nobody answers there."""

    kind, code, title = Kind.UNAVAILABLE, "bad-database", "The database cannot be used"
    title_zh = "数据库无法使用"


def apps() -> dict[str, dict[str, Any]]:
    """Every table-owning package, by its `linli.models` entry point."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entry_points(group="linli.models"):
        models: list[str] = import_module(entry.value).MODELS
        found[entry.name] = {
            "models": models,
            "migrations": entry.value,
            "default_connection": "default",
        }
    return found


def package_path(package: str) -> list[str]:
    """The folders of a package."""
    return list(import_module(package).__path__)


def sqlite_path(database: Database) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL.

    Raises:
        BadDatabase: the URL is for neither.
    """
    scheme, _, rest = database.url.get_secret_value().partition("://")
    if scheme == "sqlite" and rest:
        return Path(rest)
    if scheme in ("postgres", "postgresql"):
        return None
    raise BadDatabase("the URL must begin with sqlite:// or postgres://")


def config(database: Database) -> dict[str, Any]:
    """What Tortoise wants to know.

    Raises:
        BadDatabase: the URL cannot be understood.
    """
    path = sqlite_path(database)
    connection = _sqlite(path, database) if path else _postgres(database)
    return {
        "connections": {"default": connection},
        "apps": apps(),
        "use_tz": True,
        "timezone": "UTC",
    }


def _sqlite(path: Path, database: Database) -> dict[str, Any]:
    return {
        "engine": "foundation.db_sqlite",
        "credentials": {
            "file_path": str(path),
            "synchronous": database.sqlite_synchronous,
            "busy_timeout": 5000,
            # What is deleted is overwritten with zeros: keys of people who are erased.
            "secure_delete": 1,
        },
    }


def _postgres(database: Database) -> dict[str, Any]:
    parts = urlsplit(database.url.get_secret_value())
    asked = parse_qs(parts.query)
    more: dict[str, Any] = {"ssl": asked.pop("sslmode")[-1]} if "sslmode" in asked else {}
    if asked:  # dropped silently, an option for safety would be one that is not there
        raise BadDatabase(f"unknown option in the URL: {', '.join(asked)}")
    return {
        "engine": "foundation.db_postgres",
        "credentials": {
            "host": parts.hostname,
            "port": parts.port or 5432,
            "user": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "database": unquote(parts.path.lstrip("/")),
            "minsize": 1,
            "maxsize": database.pool_size,
            **more,
        },
    }


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[TortoiseContext]:
    """Connect for as long as the block runs. Tables are made by `foundation.migrate`.

    Raises:
        BadDatabase: the URL cannot be understood, or nobody answers there.
    """
    path = sqlite_path(database)
    if path is not None and str(path) != ":memory:":
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # people and their doors are in it; SQLite's other files follow
            path.touch(mode=0o600)
    # Tortoise keeps prepared SQL by table name alone: that of another dialect must go.
    EXECUTOR_CACHE.clear()
    async with TortoiseContext() as context:
        await context.init(config=config(database), _enable_global_fallback=True)
        try:
            await connection().execute_query("SELECT 1")
        except UNREACHABLE as error:
            raise BadDatabase(str(error) or type(error).__name__) from error
        yield context


def is_away(error: Exception) -> bool:
    """Whether one of `AWAY` is the database's state, and not our wrong use of it."""
    ours_too = (OperationalError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    if not isinstance(error, ours_too):
        return True
    return any(sign in str(error).lower() for sign in _SIGNS)


def connection() -> BaseDBAsyncClient:
    """The current connection: that of the transaction, when there is one."""
    return get_connection("default")


def is_postgres() -> bool:
    """Which dialect raw SQL must speak."""
    return connection().capabilities.dialect == "postgres"
