import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from tortoise.exceptions import BaseORMException
from tortoise.transactions import in_transaction

from foundation import audit, db
from foundation.models import AuditEvent

REFUSED = (BaseORMException, asyncpg.PostgresError)


async def append(n: int) -> None:
    await audit.append(
        actor="platform", action="test.done", object="thing/1", n=n, nested={"a": [1]}
    )


async def disarm() -> None:
    """What an intruder with the rights of the database's owner would do first."""
    if db.is_postgres():
        await db.connection().execute_query("ALTER TABLE audit_event DISABLE TRIGGER ALL")
    else:
        await db.connection().execute_query("DROP TRIGGER audit_event_no_update")
        await db.connection().execute_query("DROP TRIGGER audit_event_no_delete")


async def test_an_empty_chain_is_whole(rows):
    assert await audit.broken_at() is None


async def test_many_at_once_make_one_chain(rows):
    await asyncio.gather(*(append(n) for n in range(30)))
    assert await audit.broken_at() is None
    lines = await AuditEvent.all().order_by("seq")
    assert [line.seq for line in lines] == list(range(1, 31))
    assert {line.facts["n"] for line in lines} == set(range(30))


async def test_it_stands_or_falls_with_the_act(rows):
    async def undone():
        async with in_transaction():
            await append(1)
            raise LookupError

    await append(0)
    with pytest.raises(LookupError):
        await undone()
    await append(2)
    assert await audit.broken_at() is None
    assert await AuditEvent.all().count() == 2


async def test_the_database_refuses_changes(rows):
    await append(1)
    with pytest.raises(REFUSED, match="append-only"):
        await AuditEvent.filter(seq=1).update(actor="somebody else")
    with pytest.raises(REFUSED, match="append-only"):
        await AuditEvent.filter(seq=1).delete()
    assert await AuditEvent.all().count() == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "account/other"),
        ("action", "test.undone"),
        ("object", "thing/2"),
        ("facts", {"n": 99}),
        ("at", datetime(2020, 1, 1, tzinfo=UTC)),
        ("community_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("hash", "0" * 64),
        ("prev_hash", "0" * 64),
    ],
)
async def test_a_changed_line_is_found(rows, column, value):
    for n in range(5):
        await append(n)
    await disarm()
    await AuditEvent.filter(seq=3).update(**{column: value})
    assert await audit.broken_at() == 3


async def test_a_line_taken_out_is_found(rows):
    for n in range(5):
        await append(n)
    await disarm()
    await AuditEvent.filter(seq=2).delete()
    assert await audit.broken_at() == 2


async def test_a_line_made_anew_breaks_the_next(rows):
    """Who computes the right hash for a changed line would have to change all that follow."""
    for n in range(5):
        await append(n)
    await disarm()
    line = await AuditEvent.get(seq=3)
    line.actor = "somebody else"
    line.hash = audit._hash(line)
    await line.save()
    assert await audit.broken_at() == 4


async def test_it_is_read_in_pages(rows, monkeypatch):
    monkeypatch.setattr(audit, "PAGE", 2)
    for n in range(5):
        await append(n)
    assert await audit.broken_at() is None
    await disarm()
    await AuditEvent.filter(seq=5).update(actor="x")
    assert await audit.broken_at() == 5
