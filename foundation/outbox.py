"""Messages to the outside world, written with the fact that causes them.

`post` inside the transaction of the fact; a dispatcher delivers at least once, in no
particular order, and tries again after a pause. What cannot be delivered is dead: it stays
in the table, an operating condition says so, and `revive` tries it once more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge
from tortoise.expressions import F
from tortoise.functions import Count, Min
from tortoise.transactions import in_transaction

from foundation import conditions
from foundation.backoff import pause
from foundation.clock import Clock, utc_now
from foundation.models import OutboxMessage
from foundation.outage import Outage
from foundation.settings import Jobs
from foundation.wake import Wake, first_of

log = structlog.get_logger()

Handler = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Delivers one message, given its key and payload; raises when it was not delivered."""

TOPIC: Final = "outbox"
FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(hours=1)

SENT = Counter(
    "outbox_deliveries_total", "Tries to deliver, by topic and outcome.", ["topic", "outcome"]
)
WAITING = Gauge("outbox_waiting", "Messages not delivered yet, by topic.", ["topic"])
OLDEST = Gauge("outbox_oldest_seconds", "Age of the oldest such message, by topic.", ["topic"])
DEAD = Gauge("outbox_dead", "Messages given up, by topic.", ["topic"])


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be delivered. Its payload stays in the table."""

    topic: str
    key: str
    error: str
    attempts: int
    created_at: datetime
    dead_at: datetime | None


async def post(topic: str, key: str, payload: Mapping[str, Any], *, clock: Clock = utc_now) -> None:
    """Want a message delivered. Joins the caller's transaction; kick `outbox` after it.

    Args:
        topic: names the handler.
        key: what the receiver knows a repetition by.
        payload: JSON values; no secrets.
        clock: what now is.
    """
    await OutboxMessage.create(topic=topic, key=key, payload=dict(payload), next_try=clock())


async def dead(limit: int = 100) -> list[DeadLetter]:
    """What was given up, newest first. One statement."""
    rows = (
        await OutboxMessage.filter(dead_at__isnull=False).order_by("-dead_at", "-id").limit(limit)
    )
    return [DeadLetter(r.topic, r.key, r.error, r.attempts, r.created_at, r.dead_at) for r in rows]


async def revive(topic: str, *, clock: Clock = utc_now) -> int:
    """Try the dead messages of `topic` anew; return how many. Kick `outbox` after it."""
    await conditions.clear("outbox_dead", f"outbox/{topic}", clock=clock)
    return await OutboxMessage.filter(topic=topic, dead_at__isnull=False).update(
        dead_at=None, attempts=0, next_try=clock()
    )


class Dispatcher:
    """A service: delivers the messages of the topics it has handlers for."""

    name = "outbox"

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
        self._outage = Outage(self.name)

    async def start(self) -> None:
        """Nothing is needed before `run`."""

    async def close(self) -> None:
        """Nothing is left after `run`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; what is in flight finishes first."""
        loop, measured = asyncio.get_running_loop(), float("-inf")
        period = self._settings.period
        with self._wake.listen(TOPIC) as kick:
            while not stop.is_set():
                kick.clear()
                batch: list[OutboxMessage] = []
                with self._outage.bridged():
                    # As many as go out at once, so that none waits here until its lease ends.
                    batch = await self._claim(self._settings.width)
                async with asyncio.TaskGroup() as group:
                    for message in batch:
                        group.create_task(self._deliver(message), name="outbox delivery")
                if loop.time() - measured > period.total_seconds():
                    measured = loop.time()
                    with self._outage.bridged():
                        await self._measure()
                if not batch:
                    await first_of(kick, stop, within=period)

    async def _claim(self, room: int) -> list[OutboxMessage]:
        """Take what is due. It is due again after the lease, should we die meanwhile."""
        now = self._clock()
        async with in_transaction():
            batch = (
                await OutboxMessage.filter(
                    topic__in=list(self._handlers), dead_at__isnull=True, next_try__lte=now
                )
                .order_by("next_try")
                .limit(room)
                .select_for_update(skip_locked=True)
            )
            if batch:
                await OutboxMessage.filter(id__in=[message.id for message in batch]).update(
                    next_try=now + self._settings.lease, attempts=F("attempts") + 1
                )
        for message in batch:
            message.attempts += 1
        return batch

    async def _deliver(self, message: OutboxMessage) -> None:
        """Deliver one, and write down how it ended. If that fails it is delivered again."""
        with self._outage.bridged():
            try:
                async with asyncio.timeout(self._settings.lease.total_seconds() / 2):
                    await self._handlers[message.topic](message.key, message.payload)
            except Exception as error:  # noqa: BLE001  (the next message is not to blame)
                await self._failed(message, error)
            else:
                await OutboxMessage.filter(id=message.id).delete()
                SENT.labels(message.topic, "delivered").inc()

    async def _failed(self, message: OutboxMessage, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        log.warning(
            "outbox.delivery.failed", topic=message.topic, attempt=message.attempts, error=text
        )
        # Somebody else may have it, if our lease ended: then the attempts have moved on.
        mine = OutboxMessage.filter(id=message.id, attempts=message.attempts)
        now = self._clock()
        if message.attempts < self._settings.attempts:
            SENT.labels(message.topic, "retried").inc()
            wait = pause(message.attempts, first=FIRST_PAUSE, most=LONGEST_PAUSE)
            await mine.update(next_try=now + wait, error=text[:300])
            return
        SENT.labels(message.topic, "dead").inc()
        async with in_transaction():
            if await mine.update(dead_at=now, error=text[:300]):
                subject = f"outbox/{message.topic}"
                await conditions.report("outbox_dead", subject, text, clock=self._clock)

    async def _measure(self) -> None:
        """Depth and age by topic, for the metrics. Two statements."""
        now = self._clock()
        mine = OutboxMessage.filter(topic__in=list(self._handlers))
        rows = (
            await mine.filter(dead_at__isnull=True)
            .annotate(number=Count("id"), oldest=Min("created_at"))
            .group_by("topic")
            .values("topic", "number", "oldest")
        )
        given_up = (
            await mine.filter(dead_at__isnull=False)
            .annotate(number=Count("id"))
            .group_by("topic")
            .values_list("topic", "number")
        )
        waiting, lost = {row["topic"]: row for row in rows}, dict(given_up)
        for topic in self._handlers:
            row = waiting.get(topic)
            WAITING.labels(topic).set(row["number"] if row else 0)
            OLDEST.labels(topic).set((now - row["oldest"]).total_seconds() if row else 0)
            DEAD.labels(topic).set(lost.get(topic, 0))
