"""Work to be done once, later or elsewhere: a table, leases, and a worker.

A job runs at least once. Whoever runs it holds a lease and renews it; when the process dies
the lease ends and another runs the job again, so handlers must bear being run twice. A job
that fails is tried again after a pause, and after so many attempts has failed: it stays in
the table and an operating condition says so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter, Gauge
from tortoise.expressions import F, Q
from tortoise.functions import Count, Min
from tortoise.transactions import in_transaction

from foundation import conditions
from foundation.backoff import pause
from foundation.clock import Clock, utc_now
from foundation.models import Job
from foundation.outage import Outage
from foundation.settings import Jobs
from foundation.wake import Wake, first_of

log = structlog.get_logger()

Handler = Callable[[dict[str, Any]], Awaitable[None]]
"""Does a job, given its payload. What it raises is written down, and the job tried again."""

TOPIC: Final = "jobs"
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=1)
UNFINISHED: Final = Q(done_at__isnull=True, failed_at__isnull=True)

ENDED = Counter("jobs_ended_total", "Runs of jobs, by kind and outcome.", ["kind", "outcome"])
DUE = Gauge("jobs_due", "Jobs that are due and not done, by kind.", ["kind"])
LATE = Gauge("jobs_late_seconds", "How long the oldest due job waits, by kind.", ["kind"])


async def enqueue(
    kind: str,
    payload: Mapping[str, Any],
    *,
    key: str | None = None,
    due_at: datetime | None = None,
    clock: Clock = utc_now,
) -> UUID | None:
    """Want a job done. Joins the caller's transaction; kick `jobs` after it.

    Args:
        kind: names the handler.
        payload: JSON values; no secrets.
        key: at most one unfinished job of this kind and key. If there is one it takes this
            payload, comes no later than this one would, and if it runs just now it runs
            once more: what the caller changed is never missed.
        due_at: not before; None: now.
        clock: what now is.

    Returns:
        The id of the new job; None when one with this key was unfinished.
    """
    due = due_at or clock()
    body = dict(payload)
    slot = None if key is None else f"{kind}/{key}"
    while True:
        job = Job(kind=kind, key=key, slot=slot, payload=body, due_at=due)
        await Job.bulk_create([job], ignore_conflicts=True)
        if slot is None or await Job.exists(id=job.id):
            return job.id
        there = Job.filter(slot=slot)
        await there.filter(due_at__gt=due, lease__isnull=True).update(due_at=due)
        if await there.update(again=True, payload=body):
            return None


async def once(kind: str, key: str, *, clock: Clock = utc_now) -> bool:
    """Want a job done that is wanted only once, done or not; whether it is new.

    For timed jobs, whose key is the time they were due. Remembered for as long as done jobs
    are kept. Two statements; kick `jobs` after it.
    """
    if await Job.exists(kind=kind, key=key):
        return False
    return await enqueue(kind, {}, key=key, clock=clock) is not None


@dataclass(frozen=True, slots=True)
class _Run:
    job: Job
    lease: UUID
    task: "asyncio.Task[None]"


class Worker:
    """A service: does the jobs of the kinds it has handlers for."""

    name = "jobs"

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        settings: Jobs,
        wake: Wake,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._handlers = dict(handlers)
        self._settings = settings
        self._wake = wake
        self._clock = clock
        self._running: dict[UUID, _Run] = {}
        self._free = asyncio.Event()
        self._outage = Outage(self.name)

    async def start(self) -> None:
        """Nothing is needed before `run`."""

    async def close(self) -> None:
        """Nothing is left after `run`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Do jobs until `stop`; those in flight are finished first."""
        async with asyncio.TaskGroup() as group:
            upkeep = group.create_task(self._upkeep(), name="jobs upkeep")
            with self._wake.listen(TOPIC) as kick:
                while not stop.is_set():
                    kick.clear()
                    self._free.clear()
                    took = False
                    with self._outage.bridged():
                        took = await self._take(group)
                    if not took:
                        await first_of(kick, self._free, stop, within=self._settings.period)
            if self._running:
                await asyncio.wait([run.task for run in self._running.values()])
            upkeep.cancel()

    async def _take(self, group: asyncio.TaskGroup) -> bool:
        """Begin what is due, as much as there is room for; False when there was nothing."""
        room = self._settings.width - len(self._running)
        lease = uuid4()
        jobs = await self._claim(room, lease) if room > 0 else []
        for job in jobs:
            task = group.create_task(self._do(job, lease), name=f"job {job.kind}")
            self._running[job.id] = _Run(job, lease, task)
        return bool(jobs)

    async def _claim(self, room: int, lease: UUID) -> list[Job]:
        """Lease up to `room` due jobs. Others skip the rows we hold, or (SQLite) wait."""
        now = self._clock()
        free = Q(lease__isnull=True) | Q(leased_until__lt=now)
        mine = Q(kind__in=list(self._handlers), due_at__lte=now)
        if self._running:  # whose lease is only over because the clock was set
            mine &= ~Q(id__in=list(self._running))
        async with in_transaction():
            jobs = (
                await Job.filter(UNFINISHED, mine, free)
                .order_by("due_at")
                .limit(room)
                .select_for_update(skip_locked=True)
            )
            if jobs:
                await Job.filter(id__in=[job.id for job in jobs]).update(
                    lease=lease,
                    leased_until=now + self._settings.lease,
                    attempts=F("attempts") + 1,
                    again=False,
                )
        for job in jobs:
            job.attempts += 1
        return jobs

    async def _do(self, job: Job, lease: UUID) -> None:
        """Do one job and write down how it ended. If that fails the lease ends by itself."""
        try:
            with self._outage.bridged():
                await self._try(job, lease)
        except asyncio.CancelledError:
            with self._outage.bridged():
                await self._give_back(job, lease)
            raise
        finally:
            del self._running[job.id]
            self._free.set()

    async def _try(self, job: Job, lease: UUID) -> None:
        if job.attempts > self._settings.attempts:  # it took a process down each time
            await self._fail(job, lease, "its process ended each time")
            return
        try:
            await self._handlers[job.kind](job.payload)
        except Exception as error:  # noqa: BLE001  (one job's trouble is not the worker's)
            await self._failed_once(job, lease, error)
        else:
            await self._finish(job, lease)

    async def _finish(self, job: Job, lease: UUID) -> None:
        held = Job.filter(id=job.id, lease=lease)
        done = await held.filter(again=False).update(
            done_at=self._clock(), slot=None, lease=None, leased_until=None, error=""
        )
        if not done:  # wanted again meanwhile, or somebody else holds it
            await held.update(due_at=self._clock(), lease=None, leased_until=None, attempts=0)
        ENDED.labels(job.kind, "done").inc()

    async def _failed_once(self, job: Job, lease: UUID, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        log.warning("job.attempt.failed", kind=job.kind, attempt=job.attempts, exc_info=error)
        if job.attempts >= self._settings.attempts:
            await self._fail(job, lease, text)
            return
        ENDED.labels(job.kind, "retried").inc()
        wait = pause(job.attempts, first=FIRST_PAUSE, most=LONGEST_PAUSE)
        await Job.filter(id=job.id, lease=lease).update(
            due_at=self._clock() + wait, lease=None, leased_until=None, error=text[:300]
        )

    async def _fail(self, job: Job, lease: UUID, text: str) -> None:
        async with in_transaction():
            failed = await Job.filter(id=job.id, lease=lease).update(
                failed_at=self._clock(), slot=None, lease=None, leased_until=None, error=text[:300]
            )
            if failed:
                subject = f"job/{job.kind}"
                await conditions.report("job_failed", subject, text, clock=self._clock)
        ENDED.labels(job.kind, "failed").inc()

    async def _give_back(self, job: Job, lease: UUID) -> None:
        """We stop: the next process need not wait for the lease to end."""
        await Job.filter(id=job.id, lease=lease).update(
            lease=None, leased_until=None, attempts=job.attempts - 1
        )

    async def _upkeep(self) -> None:
        """Renew leases, measure, and forget old jobs, three times a lease."""
        while True:
            with self._outage.bridged():
                await self._renew()
                await self._measure()
                await self._forget()
            await asyncio.sleep(self._settings.lease.total_seconds() / 3)

    async def _renew(self) -> None:
        """Keep what we run. What was taken from us (we slept too long) is stopped."""
        runs = dict(self._running)
        if not runs:
            return
        held = Q(lease__in=list({run.lease for run in runs.values()}))
        until = self._clock() + self._settings.lease
        await Job.filter(UNFINISHED, held, id__in=list(runs)).update(leased_until=until)
        still = set(await Job.filter(held, id__in=list(runs)).values_list("id", flat=True))
        for id_, run in runs.items():
            if id_ not in still and not run.task.done():
                log.warning("job.lease.lost", kind=run.job.kind)
                run.task.cancel()

    async def _measure(self) -> None:
        now = self._clock()
        rows = (
            await Job.filter(UNFINISHED, kind__in=list(self._handlers), due_at__lte=now)
            .annotate(number=Count("id"), oldest=Min("due_at"))
            .group_by("kind")
            .values("kind", "number", "oldest")
        )
        found = {row["kind"]: row for row in rows}
        for kind in self._handlers:
            row = found.get(kind)
            DUE.labels(kind).set(row["number"] if row else 0)
            LATE.labels(kind).set((now - row["oldest"]).total_seconds() if row else 0)

    async def _forget(self) -> None:
        now = self._clock()
        await Job.filter(
            Q(done_at__lt=now - self._settings.keep_done)
            | Q(failed_at__lt=now - self._settings.keep_failed)
        ).delete()
