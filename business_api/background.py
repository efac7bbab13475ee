"""What the API does besides answering: jobs, messages to the outside, the timetable.

Each slice brings its handlers; the table and the leases are `foundation.jobs`. A timed job
is enqueued under the time it was due, so that of any number of processes one does it, and
a time missed while nothing ran is made up once.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from business_api.certification import jobs as certification
from business_api.imports import jobs as imports
from business_api.messages.service import postman
from business_api.residents import jobs as residents
from business_api.sms import notices
from foundation import jobs, outbox
from foundation.outage import Outage
from foundation.runner import Context, Service
from foundation.wake import first_of

JobHandlers = Mapping[str, jobs.Handler]
OutboxHandlers = Mapping[str, outbox.Handler]

JOBS: Final[tuple[Callable[[Context], JobHandlers], ...]] = (
    imports.handlers,
    certification.handlers,
    residents.handlers,
)
"""Each slice's jobs, by kind."""

OUTBOX: Final[tuple[Callable[[Context], OutboxHandlers], ...]] = (notices.deliveries,)
"""Each slice's deliveries, by topic."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A job that is due by the clock. `cron` is in the time of China."""

    kind: str
    cron: str


TIMETABLE: Final[tuple[Timed, ...]] = (
    Timed(imports.FORGET, "17 3 * * *"),
    Timed(certification.EXPIRE, "* * * * *"),
    Timed(certification.FORGET, "37 3 * * *"),
    Timed(residents.CLOCK, "7 * * * *"),
    Timed(residents.RECOMPUTE, "47 3 * * *"),
)

ZONE: Final = ZoneInfo("Asia/Shanghai")
_PERIOD: Final = timedelta(seconds=20)
_LOOK_BACK: Final = timedelta(days=1)


def services(context: Context) -> tuple[Service, ...]:
    """The worker and the dispatcher over everything above, and who brings messages."""
    work = {kind: handler for of in JOBS for kind, handler in of(context).items()}
    deliveries = {topic: handler for of in OUTBOX for topic, handler in of(context).items()}
    settings = context.settings.jobs
    return (
        jobs.Worker(work, settings, context.wake, clock=context.clock),
        outbox.Dispatcher(deliveries, settings, context.wake, clock=context.clock),
        postman(context),
    )


async def run(context: Context, stop: asyncio.Event) -> None:
    """Work, deliver and keep the timetable, until `stop`."""
    async with asyncio.TaskGroup() as group:
        for service in services(context):
            group.create_task(service.run(stop), name=service.name)
        group.create_task(_keep_timetable(context, stop), name="timetable")


async def _keep_timetable(context: Context, stop: asyncio.Event) -> None:
    outage = Outage("timetable")
    while not stop.is_set():
        with outage.bridged():
            await enqueue_due(context)
        await first_of(stop, within=_PERIOD)


async def enqueue_due(context: Context) -> None:
    """Want done what has become due since it was last done. A statement or two for each."""
    now = context.clock().astimezone(ZONE)
    for timed in TIMETABLE:
        due = next(CronSim(timed.cron, now, reverse=True))
        if due > now - _LOOK_BACK and await jobs.once(
            timed.kind, f"{due:%Y-%m-%dT%H:%M}", clock=context.clock
        ):
            context.wake.kick(jobs.TOPIC)
