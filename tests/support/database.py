"""Databases for tests: migrated once, then copied for every test."""

import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from foundation import migrate
from foundation.settings import Database

APPLICATION = "application"
"""The platform's user: no superuser, whom row-level security would not concern."""

_templates: dict[str, str] = {}
"""Where the migrated database is that others are copied from, by server (or folder)."""


async def sqlite(folder: Path, templates: Path) -> Database:
    """A migrated SQLite database of its own in `folder`."""
    if str(templates) not in _templates:
        template = templates / "template.sqlite3"
        await _migrated(at(template))
        _templates[str(templates)] = str(template)
    path = folder / "linli.sqlite3"
    shutil.copyfile(_templates[str(templates)], path)
    return at(path)


def at(path: Path) -> Database:
    """The settings of a SQLite database; without a disk flush for every commit."""
    return Database(url=SecretStr(f"sqlite://{path}"), sqlite_synchronous="NORMAL")


@asynccontextmanager
async def postgres(server: str, *, empty: bool = False) -> AsyncIterator[Database]:
    """A migrated (or empty) database of its own on `server`, dropped at the end."""
    admin = await asyncpg.connect(f"{server}/postgres")
    ours = server.replace("linli:linli@", f"{APPLICATION}:{APPLICATION}@")
    name = f"t{uuid.uuid4().hex}"
    try:
        if empty:
            await admin.execute(f"CREATE DATABASE {name} OWNER {APPLICATION}")
        else:
            if server not in _templates:
                template = f"template_{uuid.uuid4().hex}"
                await admin.execute(f"CREATE DATABASE {template} OWNER {APPLICATION}")
                await _migrated(Database(url=SecretStr(f"{ours}/{template}")))
                _templates[server] = template
            await admin.execute(
                f"CREATE DATABASE {name} OWNER {APPLICATION} TEMPLATE {_templates[server]}"
            )
        yield Database(url=SecretStr(f"{ours}/{name}"))
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


async def _migrated(database: Database) -> None:
    assert await migrate.differences() == [], "models and migrations differ: `make migrations`"
    await migrate.upgrade(database)
