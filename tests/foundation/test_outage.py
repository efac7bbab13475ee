import asyncio
from datetime import timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs
from tortoise.exceptions import IntegrityError, OperationalError

from foundation import db, jobs, outbox
from foundation.models import Job, OutboxMessage
from foundation.outage import Outage
from foundation.settings import Database, Jobs
from foundation.wake import Wake
from tests.support.outage import outage
from tests.support.running import running
from tests.support.until import until

SETTINGS = Jobs(period=timedelta(milliseconds=20), lease=timedelta(milliseconds=300))


def test_told_once_when_lost_and_once_when_back():
    bridge = Outage("x")
    with capture_logs() as said:
        for error in (ConnectionRefusedError(), OperationalError("database is locked")):
            with bridge.bridged():
                raise error
        for _ in range(2):
            with bridge.bridged():
                pass
    assert [line["event"] for line in said] == ["database.lost", "database.back"]


@pytest.mark.parametrize(
    "error",
    [
        OperationalError('near "SELEC": syntax error'),
        asyncpg.InterfaceError("the server expects 1 argument"),
        IntegrityError("UNIQUE"),
        ValueError("a bug"),
    ],
)
def test_a_bug_is_no_outage(error: Exception):
    with pytest.raises(type(error)), Outage("x").bridged():
        raise error


async def test_workers_outlive_it(rows, database: Database):
    """Nothing is lost, and both work on when the database is back."""
    done, sent = [], []

    async def do(payload):
        done.append(payload["n"])

    async def send(key, payload):
        sent.append(key)

    worker = jobs.Worker({"t.out": do}, SETTINGS, Wake())
    dispatcher = outbox.Dispatcher({"t.out": send}, SETTINGS, Wake())
    for n in range(3):
        await jobs.enqueue("t.out", {"n": n})
        await outbox.post("t.out", str(n), {})
    with capture_logs() as said:

        def told() -> set[str]:
            return {line["worker"] for line in said if line["event"] == "database.lost"}

        async with asyncio.TaskGroup() as group:
            stop = asyncio.Event()
            async with outage(database):
                group.create_task(worker.run(stop))
                group.create_task(dispatcher.run(stop))
                await until(lambda: told() == {"jobs", "outbox"})

            async def all_done() -> bool:
                try:
                    left = await Job.filter(jobs.UNFINISHED).exists()
                    return not left and not await OutboxMessage.exists()
                except db.AWAY:
                    return False  # a cut connection is left in our own pool

            await until(all_done)
            stop.set()
    assert set(done) == {0, 1, 2}
    assert set(sent) == {"0", "1", "2"}


async def test_written_down_late_means_done_again(rows, database: Database):
    """The job was done when the database was away: its lease ends, and it is done again."""
    runs = 0
    may_end = asyncio.Event()

    async def do(payload):
        nonlocal runs
        runs += 1
        await may_end.wait()

    await jobs.enqueue("t.late", {})
    worker = jobs.Worker({"t.late": do}, SETTINGS, Wake())
    async with running(worker):
        await until(lambda: runs == 1)
        async with outage(database):
            may_end.set()
            await until(lambda: not worker._running)
        await until(lambda: runs == 2)

        async def finished() -> bool:
            return await Job.filter(done_at__isnull=False).exists()

        await until(finished)
