"""Deliveries of a channel: taken under a lease, settled set by set.

At least once: when a process dies between sending and writing that down, another sends
again after the lease. In the app nothing is ever there twice.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tortoise.expressions import F
from tortoise.transactions import in_transaction

from business_api.messages import lanes
from business_api.messages.channels import Outcome
from business_api.messages.models import Channel, Delivery, DeliveryState
from business_api.messages.routing import DELIVERIES
from foundation import conditions
from foundation.backoff import pause
from foundation.runner import Context

FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=1)
GIVEN_UP: Final = "messages_dead"
"""The condition: a channel has given up on deliveries, `dead` lists them."""

_UNSENDABLE: Final = frozenset({"late", "attempts", "crashed"})
"""What died of our trouble or the channel's, and not of the one it was for."""


async def claim(context: Context, channel: Channel, room: int) -> list[Delivery]:
    """Take up to `room` due deliveries. They are due again after the lease, should we die."""
    now = context.clock()
    due = Delivery.filter(channel=channel, next_try__lte=now)
    if not await due.exists():
        return []
    lease = uuid4()
    async with in_transaction():
        batch = await lanes.first(due, room, "next_try")
        if batch:
            await Delivery.filter(id__in=[each.id for each in batch]).update(
                lease=lease,
                next_try=now + context.settings.messages.lease,
                attempts=F("attempts") + 1,
            )
    for delivery in batch:
        delivery.attempts += 1
        delivery.lease = lease
    return batch


async def settle(
    context: Context, channel: Channel, batch: Sequence[Delivery], outcomes: Mapping[UUID, Outcome]
) -> None:
    """Write down what became of a batch: one statement for all that ended alike.

    What others took over meanwhile (we slept too long) is left to them.
    """
    now = context.clock()
    alike: defaultdict[tuple[Outcome, int], list[UUID]] = defaultdict(list)
    for delivery in batch:
        outcome = outcomes[delivery.id]
        if (
            outcome.state is DeliveryState.FAILED
            and delivery.attempts >= context.settings.messages.attempts
        ):
            outcome = Outcome(DeliveryState.DEAD, "attempts")
        # Only who comes again needs to be told apart by how often it came.
        again = delivery.attempts if outcome.state is DeliveryState.FAILED else 0
        alike[outcome, again].append(delivery.id)
    counts: Counter[str] = Counter()
    async with in_transaction():
        lost = 0
        for (outcome, attempts), ids in alike.items():
            held = Delivery.filter(id__in=ids, lease=batch[0].lease)
            settled = await held.update(**_columns(outcome, attempts, now))
            counts[_LABEL[outcome.state]] += settled
            if outcome.state is DeliveryState.DEAD and outcome.error in _UNSENDABLE:
                lost += settled
        if lost:
            detail = f"{lost} given up at once"
            await conditions.report(GIVEN_UP, f"channel/{channel}", detail, clock=context.clock)
    for label, number in counts.items():
        DELIVERIES.labels(channel.value, label).inc(number)


_LABEL: Final = {
    DeliveryState.SENT: "sent",
    DeliveryState.FAILED: "retried",
    DeliveryState.SKIPPED: "skipped",
    DeliveryState.DEAD: "dead",
    DeliveryState.WAITING: "put_off",
}


def _columns(outcome: Outcome, attempts: int, now: datetime) -> dict[str, object]:
    columns: dict[str, object] = {"state": outcome.state, "lease": None, "error": outcome.error}
    match outcome.state:
        case DeliveryState.FAILED:
            wait = outcome.after or pause(attempts, first=FIRST_PAUSE, most=LONGEST_PAUSE)
            columns["next_try"] = now + wait
        case DeliveryState.WAITING:
            columns |= {"next_try": now + (outcome.after or FIRST_PAUSE)}
            columns["attempts"] = F("attempts") - 1
        case DeliveryState.SENT:
            columns |= {"next_try": None, "sent_at": now}
        case _:
            columns["next_try"] = None
    return columns


async def dead(limit: int) -> tuple[list[Delivery], int]:
    """What was given up, with its message, the latest first, and how much. Two statements."""
    given_up = Delivery.filter(state=DeliveryState.DEAD)
    rows = await given_up.select_related("message").order_by("-id").limit(limit)
    return rows, await given_up.count()


async def revive(context: Context, channel: Channel) -> int:
    """Try what a channel has given up once more; how many. Kick `routing.OUT` after it."""
    await conditions.clear(GIVEN_UP, f"channel/{channel}", clock=context.clock)
    return await Delivery.filter(state=DeliveryState.DEAD, channel=channel).update(
        state=DeliveryState.WAITING, attempts=0, error="", next_try=context.clock()
    )
