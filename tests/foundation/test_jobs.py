import asyncio
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from tortoise.transactions import in_transaction

from foundation import conditions, jobs
from foundation.jobs import Worker, enqueue
from foundation.metrics import exposition
from foundation.models import Job
from foundation.settings import Database, Jobs
from foundation.wake import Wake
from tests.support import commands
from tests.support.running import running
from tests.support.until import until

SETTINGS = Jobs(period=timedelta(milliseconds=20), lease=timedelta(seconds=30), width=4, attempts=3)


def worker(handlers, settings=SETTINGS, wake=None, clock=None):
    wake = wake or Wake()
    return (
        Worker(handlers, settings, wake, clock=clock) if clock else Worker(handlers, settings, wake)
    )


async def finished() -> bool:
    return not await Job.exists(jobs.UNFINISHED)


async def test_two_workers_never_do_one_job_at_once(rows):
    done: list[int] = []
    now: set[int] = set()
    most = 0

    async def do(payload):
        nonlocal most
        number = payload["n"]
        assert number not in now
        now.add(number)
        most = max(most, len(now))
        await asyncio.sleep(0)
        now.remove(number)
        done.append(number)

    for n in range(40):
        await enqueue("t.count", {"n": n})
    async with running(worker({"t.count": do}), worker({"t.count": do})):
        await until(finished)
    assert sorted(done) == list(range(40))
    assert most > 1


async def test_only_what_is_due_and_known_is_done(rows):
    done = []

    async def do(payload):
        done.append(payload["n"])

    at = datetime(2030, 1, 1, tzinfo=UTC)
    await enqueue("t.due", {"n": 1}, due_at=at)
    await enqueue("t.due", {"n": 2}, due_at=at + timedelta(seconds=1))
    await enqueue("t.other", {"n": 3}, due_at=at)
    async with running(worker({"t.due": do}, clock=lambda: at)):
        await until(lambda: done)
    assert done == [1]
    assert await Job.filter(jobs.UNFINISHED).count() == 2


async def test_it_joins_the_transaction(rows):
    async def undone():
        async with in_transaction():
            await enqueue("t.undone", {}, key="k")
            raise LookupError

    with pytest.raises(LookupError):
        await undone()
    assert not await Job.exists()


async def test_one_unfinished_job_of_a_key(rows):
    early = datetime(2030, 1, 1, tzinfo=UTC)
    late = early + timedelta(hours=1)
    assert await enqueue("t.key", {"n": 1}, key="k", due_at=late)
    assert await enqueue("t.key", {"n": 2}, key="k", due_at=early) is None
    assert await enqueue("t.key", {"n": 3}, key="other", due_at=late)
    job = await Job.get(key="k")
    assert (job.payload, job.due_at) == ({"n": 2}, early)

    done = []

    async def do(payload):
        done.append(payload["n"])

    async with running(worker({"t.key": do}, clock=lambda: early)):
        await until(lambda: done)
    assert await enqueue("t.key", {"n": 4}, key="k"), "the finished one does not stand in the way"


async def test_a_clock_that_is_set_forward_starts_nothing_twice(rows):
    ahead = timedelta()
    started, go_on = [], asyncio.Event()

    async def do(payload):
        started.append(payload)
        await go_on.wait()

    async def other(payload):
        started.append("other")

    await enqueue("t.long", {})
    clock = lambda: datetime.now(UTC) + ahead  # noqa: E731
    async with running(worker({"t.long": do, "t.other": other}, clock=clock)):
        await until(lambda: started)
        ahead = timedelta(hours=1)
        await enqueue("t.other", {}, clock=clock)
        await until(lambda: "other" in started)
        go_on.set()
        await until(finished)
    assert started == [{}, "other"]


async def test_wanted_again_while_it_runs_it_runs_again(rows):
    seen = []
    began, go_on = asyncio.Event(), asyncio.Event()

    async def do(payload):
        seen.append(payload["n"])
        began.set()
        await go_on.wait()

    await enqueue("t.again", {"n": 1}, key="k")
    async with running(worker({"t.again": do})):
        await began.wait()
        assert await enqueue("t.again", {"n": 2}, key="k") is None
        go_on.set()
        await until(finished)
    assert seen == [1, 2]


async def test_a_kick_is_enough(rows):
    done = asyncio.Event()

    async def do(payload):
        done.set()

    wake = Wake()
    slow = SETTINGS.model_copy(update={"period": timedelta(hours=1)})
    async with running(worker({"t.kick": do}, slow, wake)):
        await enqueue("t.kick", {})
        wake.kick(jobs.TOPIC)
        await asyncio.wait_for(done.wait(), 5)


async def test_a_job_that_fails_is_tried_again_and_then_has_failed(rows):
    tries = []
    now = datetime(2030, 1, 1, tzinfo=UTC)

    async def do(payload):
        tries.append(now)
        raise ValueError("no luck")

    await enqueue("t.fail", {}, key="k", due_at=now)

    async def move_on() -> bool:
        nonlocal now
        job = await Job.get(kind="t.fail")
        now = max(now, job.due_at)
        return job.failed_at is not None

    async with running(worker({"t.fail": do}, clock=lambda: now)):
        await until(move_on)
    job = await Job.get(kind="t.fail")
    assert len(tries) == job.attempts == SETTINGS.attempts
    assert job.error == "ValueError: no luck"
    pauses = [(b - a).total_seconds() for a, b in pairwise(tries)]
    assert [round(pause / 5) for pause in pauses] == [1, 2], "5 s doubled, 20 % to either side"
    [trouble] = await conditions.current(None)
    assert (trouble.kind, trouble.subject) == ("job_failed", "job/t.fail")
    assert b'jobs_ended_total{kind="t.fail",outcome="failed"}' in exposition()


async def test_a_long_job_keeps_its_lease(rows):
    short = SETTINGS.model_copy(update={"lease": timedelta(seconds=3)})
    runs, enough = 0, asyncio.Event()

    async def do(payload):
        nonlocal runs
        runs += 1
        await enough.wait()

    await enqueue("t.long", {})
    async with running(worker({"t.long": do}, short)):
        await until(lambda: runs)
        first = (await Job.get(kind="t.long")).leased_until

        async def outlived() -> bool:
            return datetime.now(UTC) > first

        async with running(worker({"t.long": do}, short)):
            await until(outlived)
        enough.set()
        await until(finished)
    assert runs == 1


async def test_a_lost_lease_stops_the_run(rows):
    stopped = asyncio.Event()
    short = SETTINGS.model_copy(update={"lease": timedelta(milliseconds=300)})

    async def do(payload):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await enqueue("t.lost", {})
    async with running(worker({"t.lost": do}, short)):
        await until(lambda: Job.filter(lease__isnull=False).exists())
        await Job.all().update(lease=None, done_at=datetime.now(UTC))
        await asyncio.wait_for(stopped.wait(), 5)


async def test_a_stop_that_cuts_a_job_gives_it_back(rows):
    began = asyncio.Event()

    async def do(payload):
        began.set()
        await asyncio.Event().wait()

    await enqueue("t.cut", {})
    run = asyncio.create_task(worker({"t.cut": do}).run(asyncio.Event()))
    await began.wait()
    run.cancel()
    await asyncio.wait([run])
    job = await Job.get(kind="t.cut")
    assert (job.lease, job.attempts) == (None, 0)


CRASHER = """
import asyncio, os, sys
from datetime import timedelta
from pydantic import SecretStr
from foundation import db, jobs
from foundation.settings import Database, Jobs
from foundation.wake import Wake

async def die(payload):
    os._exit(9)

async def main():
    async with db.opened(Database(url=SecretStr(sys.argv[1]))):
        await jobs.Worker({"t.crash": die}, Jobs(), Wake()).run(asyncio.Event())

asyncio.run(main())
"""


async def test_a_crash_runs_it_again(rows, database: Database, tmp_path: Path):
    """The process is gone in the middle of the job; nobody told the table."""
    await enqueue("t.crash", {})
    url = database.url.get_secret_value()
    env = commands.environment(tmp_path)
    for crash in range(2):
        command = (sys.executable, "-c", CRASHER, url)
        with commands.running(*command, env=env, log=tmp_path / "log") as crasher:
            assert await asyncio.to_thread(crasher.process.wait, 30) == 9, crasher.output()
        job = await Job.get(kind="t.crash")
        assert job.attempts == crash + 1
        assert job.leased_until is not None
        await Job.all().update(leased_until=datetime.now(UTC) - timedelta(seconds=1))

    done = []

    async def do(payload):
        done.append(1)

    async with running(worker({"t.crash": do})):
        await until(finished)
    assert done == [1]


async def test_what_kills_every_process_is_not_tried_for_ever(rows):
    past = datetime.now(UTC) - timedelta(seconds=1)
    await enqueue("t.poison", {})
    await Job.all().update(attempts=SETTINGS.attempts, lease=Job().id, leased_until=past)

    async def do(payload):
        raise AssertionError("it was begun")

    async with running(worker({"t.poison": do})):
        await until(finished)
    assert (await Job.get(kind="t.poison")).error == "its process ended each time"


async def test_old_jobs_are_forgotten_and_late_ones_measured(rows):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    await enqueue("t.old", {}, due_at=now - timedelta(seconds=90))
    await Job.create(kind="t.old", payload={}, due_at=now, done_at=now - timedelta(days=8))
    kept = await Job.create(kind="t.old", payload={}, due_at=now, done_at=now - timedelta(days=6))
    never = asyncio.Event()

    async def do(payload):
        await never.wait()

    async with running(worker({"t.old": do}, clock=lambda: now)):
        await until(lambda: b'jobs_late_seconds{kind="t.old"} 90.0' in exposition())
        assert b'jobs_due{kind="t.old"} 1.0' in exposition()

        async def forgotten() -> bool:
            return await Job.filter(done_at__isnull=False).values_list("id", flat=True) == [kept.id]

        await until(forgotten)
        never.set()
