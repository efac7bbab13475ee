import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tortoise.transactions import in_transaction

from foundation import conditions
from foundation.conditions import clear, current, report

AT = datetime(2030, 1, 1, tzinfo=UTC)


async def test_known_until_cleared(rows):
    assert await report("t", "thing/1", "first", clock=lambda: AT)
    assert not await report("t", "thing/1", "second", clock=lambda: AT + timedelta(hours=1))
    [now] = await current(None)
    assert (now.kind, now.subject, now.detail, now.since) == ("t", "thing/1", "second", AT)
    assert await clear("t", "thing/1")
    assert not await clear("t", "thing/1")
    assert await current(None) == []
    assert await report("t", "thing/1", "again", clock=lambda: AT + timedelta(days=1))
    [now] = await current(None)
    assert now.since == AT + timedelta(days=1)


async def test_each_community_sees_its_own(rows):
    ours, theirs = uuid4(), uuid4()
    await report("t", "thing/1", "", community_id=ours, clock=lambda: AT)
    await report("t", "thing/2", "", community_id=theirs, clock=lambda: AT + timedelta(seconds=1))
    await report("t", "thing/3", "", clock=lambda: AT + timedelta(seconds=2))
    assert [each.subject for each in await current([ours])] == ["thing/1"]
    assert [each.subject for each in await current(None)] == ["thing/3", "thing/2", "thing/1"]


async def test_many_report_at_once_and_one_was_first(rows):
    new = await asyncio.gather(*(report("t", "thing/1", str(n)) for n in range(20)))
    assert sorted(new) == [False] * 19 + [True]


async def test_it_joins_the_transaction(rows):
    async def undone():
        async with in_transaction():
            assert await report("t", "thing/1", "")
            raise LookupError

    with pytest.raises(LookupError):
        await undone()
    assert await current(None) == []


async def test_a_long_detail_is_cut(rows):
    await report("t", "thing/1", "长" * 1000)
    assert len((await current(None))[0].detail) == 300


async def test_a_list_has_an_end(rows, monkeypatch):
    monkeypatch.setattr(conditions, "MOST", 3)
    for n in range(5):
        await report("t", f"thing/{n}", "")
    assert len(await current(None)) == 3
