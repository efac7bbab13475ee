import asyncio
import contextlib
import sqlite3

import pytest
from pydantic import SecretStr
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from foundation import db
from foundation.models import Condition
from foundation.settings import Database


async def work() -> None:
    async with in_transaction():
        await Condition.all().count()


async def test_cancelled_while_it_begins_a_transaction_gives_everything_back(database: Database):
    """The one connection there is comes back, whenever the cancel came."""
    async with db.opened(database.model_copy(update={"pool_size": 1})):
        for moment in range(100):
            task = asyncio.create_task(work())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(moment * 0.00002):
                    await task
        await asyncio.wait_for(work(), 5)
        await asyncio.wait_for(asyncio.gather(*(work() for _ in range(20))), 10)


async def test_a_transaction_that_cannot_begin_gives_the_lock_back(tmp_path):
    path = tmp_path / "busy.sqlite3"
    async with db.opened(Database(url=SecretStr(f"sqlite://{path}"))):
        await db.connection().execute_query("PRAGMA busy_timeout=10")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            await work()
        other.execute("COMMIT")
        other.close()
        async with asyncio.timeout(5), in_transaction():
            await db.connection().execute_query("SELECT 1")


async def test_read_and_then_write_while_another_process_writes(tmp_path):
    """DEFERRED would fail here at once; IMMEDIATE has the lock since it began."""
    path = tmp_path / "two.sqlite3"
    async with db.opened(Database(url=SecretStr(f"sqlite://{path}"))) as context:
        await context.generate_schemas()
        other = sqlite3.connect(path, timeout=0.01)
        async with in_transaction():
            assert await Condition.all().count() == 0
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("DELETE FROM condition")
            await Condition.all().update(detail="mine")
        other.execute("DELETE FROM condition")
        other.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://h/x", "must begin with"),
        ("sqlite://", "must begin with"),
        ("sqlite:///proc/nowhere/x", "No such file"),
        ("postgres://a:secret-word@127.0.0.1:1/x", "Connect call failed"),
        ("postgres://a:secret-word@127.0.0.1:1/x?statement_timeout=1", "unknown option"),
    ],
)
async def test_a_database_that_is_none_is_one_clear_error(url, why):
    with pytest.raises((db.BadDatabase, OSError), match=why) as caught:
        async with db.opened(Database(url=SecretStr(url))):
            pass
    assert "secret-word" not in str(caught.value)


def test_a_url_is_taken_apart_whole():
    url = "postgres://us%40er:p%2Fw@db.example:6432/the%20name?sslmode=verify-full"
    found = db.config(Database(url=SecretStr(url)))["connections"]["default"]["credentials"]
    assert (found["user"], found["password"], found["host"]) == ("us@er", "p/w", "db.example")
    assert (found["port"], found["database"], found["ssl"]) == (6432, "the name", "verify-full")


async def test_a_new_database_is_its_owners_only(tmp_path):
    path = tmp_path / "new" / "private.sqlite3"
    async with db.opened(Database(url=SecretStr(f"sqlite://{path}"))) as tables:
        await tables.generate_schemas()
        await work()
        made = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert made.pop("private.sqlite3") == 0o600
    assert set(made.values()) == {0o600}, "what was written last is in another file"
