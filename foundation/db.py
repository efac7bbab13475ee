"""The database: one URL, one app label a package, SQLite or PostgreSQL.

Trap: a task started inside a transaction inherits its connection. Start tasks outside.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext

from foundation.settings import Database


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


def config(database: Database) -> dict[str, Any]:
    """What Tortoise wants to know."""
    url = database.url.get_secret_value()
    if url.startswith("sqlite://"):
        path = url.removeprefix("sqlite://")
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection: dict[str, Any] | str = {
            "engine": "foundation.db_sqlite",
            "credentials": {
                "file_path": path,
                "synchronous": database.sqlite_synchronous,
                "busy_timeout": 5000,
            },
        }
    else:
        parts = urlsplit(url)
        connection = {
            "engine": "tortoise.backends.asyncpg",
            "credentials": {
                "host": parts.hostname,
                "port": parts.port or 5432,
                "user": parts.username,
                "password": parts.password,
                "database": parts.path.lstrip("/"),
                "minsize": 1,
                "maxsize": database.pool_size,
            },
        }
    return {
        "connections": {"default": connection},
        "apps": apps(),
        "use_tz": True,
        "timezone": "UTC",
    }


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[TortoiseContext]:
    """Connect for as long as the block runs. Tables are made by `foundation.migrate`."""
    # Tortoise keeps prepared SQL by table name alone: that of another dialect must go.
    EXECUTOR_CACHE.clear()
    async with TortoiseContext() as context:
        await context.init(config=config(database), _enable_global_fallback=True)
        yield context


def connection() -> BaseDBAsyncClient:
    """The current connection: that of the transaction, when there is one."""
    return get_connection("default")


def is_postgres() -> bool:
    """Which dialect raw SQL must speak."""
    return connection().capabilities.dialect == "postgres"
