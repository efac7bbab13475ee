"""A database that goes away for a while, as it does in life."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from foundation import db
from foundation.settings import Database

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> ALL($1::int[])"
)


@asynccontextmanager
async def outage(database: Database) -> AsyncIterator[None]:
    """While the block lasts SQLite is locked by another, or PostgreSQL cuts every connection."""
    path = db.sqlite_path(database)
    if path is not None:
        await db.connection().execute_query("PRAGMA busy_timeout=5")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.close()
            await db.connection().execute_query("PRAGMA busy_timeout=5000")
        return
    admin, killer = [await asyncpg.connect(database.url.get_secret_value()) for _ in range(2)]
    ours = [admin.get_server_pid(), killer.get_server_pid()]
    names = await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    # What gets through between two cuts waits for these locks, until it is cut too.
    holding = admin.transaction()
    await holding.start()
    await killer.execute(CUT, ours)
    await admin.execute("LOCK TABLE " + ", ".join(f'"{row["tablename"]}"' for row in names))

    async def cut() -> None:
        while True:
            await killer.execute(CUT, ours)
            await asyncio.sleep(0.001)

    cutting = asyncio.create_task(cut())
    try:
        yield
    finally:
        cutting.cancel()
        await asyncio.wait([cutting])
        await killer.close()
        await admin.close()
