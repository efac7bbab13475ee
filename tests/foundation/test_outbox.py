import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tortoise.transactions import in_transaction

from foundation import conditions, outbox
from foundation.metrics import exposition
from foundation.models import OutboxMessage
from foundation.outbox import Dispatcher, post
from foundation.settings import Jobs
from foundation.wake import Wake
from tests.support.running import running
from tests.support.until import until

SETTINGS = Jobs(period=timedelta(milliseconds=20), width=4, attempts=3)
AT = datetime(2030, 1, 1, tzinfo=UTC)


async def empty() -> bool:
    return not await OutboxMessage.filter(dead_at__isnull=True).exists()


async def test_delivered_with_the_fact_or_not_at_all(rows):
    async def undone():
        async with in_transaction():
            await post("t.fact", "1", {})
            raise LookupError

    with pytest.raises(LookupError):
        await undone()
    async with in_transaction():
        await post("t.fact", "2", {"n": 2})

    got = []

    async def take(key, payload):
        got.append((key, payload))

    async with running(Dispatcher({"t.fact": take}, SETTINGS, Wake())):
        await until(empty)
    assert got == [("2", {"n": 2})]


async def test_two_dispatchers_deliver_each_once(rows):
    got: list[str] = []

    async def take(key, payload):
        await asyncio.sleep(0)
        got.append(key)

    for n in range(50):
        await post("t.many", str(n), {})
    one, two = (Dispatcher({"t.many": take}, SETTINGS, Wake()) for _ in range(2))
    async with running(one, two):
        await until(empty)
    assert sorted(got, key=int) == [str(n) for n in range(50)]


async def test_a_kick_is_enough(rows):
    got = asyncio.Event()

    async def take(key, payload):
        got.set()

    wake = Wake()
    slow = SETTINGS.model_copy(update={"period": timedelta(hours=1)})
    async with running(Dispatcher({"t.kick": take}, slow, wake)):
        await post("t.kick", "1", {})
        wake.kick(outbox.TOPIC)
        await asyncio.wait_for(got.wait(), 5)


async def test_one_bad_message_is_tried_again_and_dies_alone(rows):
    now, tries, good = AT, [], []

    async def take(key, payload):
        if key == "bad":
            tries.append(now)
            raise ConnectionError("nobody there")
        good.append(key)

    await post("t.bad", "bad", {"n": 1}, clock=lambda: AT)
    await post("t.bad", "good", {}, clock=lambda: AT)
    dispatcher = Dispatcher({"t.bad": take}, SETTINGS, Wake(), clock=lambda: now)

    async def move_on() -> bool:
        nonlocal now
        row = await OutboxMessage.get(key="bad")
        if row.next_try - now < SETTINGS.lease / 2:  # not while it is being delivered
            now = max(now, row.next_try)
        return row.dead_at is not None

    async with running(dispatcher):
        await until(move_on)
    assert good == ["good"]
    assert len(tries) == SETTINGS.attempts
    [letter] = await outbox.dead()
    assert (letter.key, letter.error) == ("bad", "ConnectionError: nobody there")
    [trouble] = await conditions.current(None)
    assert (trouble.kind, trouble.subject) == ("outbox_dead", "outbox/t.bad")

    async with running(Dispatcher({"t.bad": take}, SETTINGS, Wake(), clock=lambda: now)):
        await until(lambda: b'outbox_dead{topic="t.bad"} 1.0' in exposition())
    assert await outbox.revive("t.bad", clock=lambda: now) == 1
    assert await conditions.current(None) == []

    async def take_all(key, payload):
        good.append(key)

    async with running(Dispatcher({"t.bad": take_all}, SETTINGS, Wake(), clock=lambda: now)):
        await until(empty)
    assert good == ["good", "bad"]


async def test_a_crash_delivers_again(rows):
    """Claimed by a process that is gone: due once more when the lease has passed."""
    await post("t.crash", "1", {})
    gone = Dispatcher({"t.crash": lambda key, payload: asyncio.sleep(0)}, SETTINGS, Wake())
    assert len(await gone._claim(10)) == 1
    assert await gone._claim(10) == []

    got = []

    async def take(key, payload):
        got.append(key)

    later = datetime.now(UTC) + SETTINGS.lease
    async with running(Dispatcher({"t.crash": take}, SETTINGS, Wake(), clock=lambda: later)):
        await until(empty)
    assert got == ["1"]


async def test_depth_and_age(rows):
    await post("t.age", "1", {}, clock=lambda: AT)
    created = (await OutboxMessage.get()).created_at
    never = asyncio.Event()

    async def take(key, payload):
        await asyncio.wait_for(never.wait(), 0.05)

    later = created + timedelta(seconds=75)
    async with running(Dispatcher({"t.age": take}, SETTINGS, Wake(), clock=lambda: later)):
        await until(lambda: b'outbox_oldest_seconds{topic="t.age"} 75.0' in exposition())
        assert b'outbox_waiting{topic="t.age"} 1.0' in exposition()
