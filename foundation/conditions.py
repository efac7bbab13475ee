"""Operating conditions: something is wrong *now* (a trunk is down, a station looks cloned).

One row per (kind, subject) that was ever wrong; reporting the same again changes nothing but
the detail. Anybody reports and clears; `telemetry` turns conditions into alarms.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Counter
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from foundation.clock import Clock, utc_now
from foundation.models import Condition as Row

log = structlog.get_logger()

REPORTED = Counter(
    "conditions_reported_total", "Operating conditions that began, by kind.", ["kind"]
)

MOST = 1000
"""Most conditions `current` returns: more than that is one trouble, not a thousand."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now."""

    kind: str
    subject: str
    community_id: UUID | None
    detail: str
    since: datetime


async def report(
    kind: str,
    subject: str,
    detail: str,
    *,
    community_id: UUID | None = None,
    clock: Clock = utc_now,
) -> bool:
    """Say that something is wrong; True when it was not known yet. Joins the transaction.

    One statement when known, up to four when new.

    Args:
        kind: what is wrong, a constant of the reporting room: `station_cloned`, `trunk_down`.
        subject: `{kind}/{id}` of what is concerned.
        detail: one line for people, cut at 300 characters; no secrets, no personal data.
        community_id: whose staff may see it; None: the operator's only.
        clock: when it began, if it is new.
    """
    known = Row.filter(kind=kind, subject=subject)
    new = {"detail": detail[:300], "community_id": community_id}
    async with in_transaction():
        if await known.filter(cleared_at__isnull=True).update(**new):
            return False
        now = clock()
        again = await known.filter(cleared_at__isnull=False).update(
            **new, since=now, cleared_at=None
        )
        if not again:
            row = Row(kind=kind, subject=subject, since=now, **new)
            await Row.bulk_create([row], ignore_conflicts=True)
            if not await Row.exists(id=row.id):
                return False
    REPORTED.labels(kind).inc()
    log.warning("condition.begun", kind=kind, subject=subject, detail=detail)
    return True


async def clear(kind: str, subject: str, *, clock: Clock = utc_now) -> bool:
    """Say that it is over; False when nothing was wrong. One statement."""
    over = await Row.filter(kind=kind, subject=subject, cleared_at__isnull=True).update(
        cleared_at=clock()
    )
    if over:
        log.info("condition.ended", kind=kind, subject=subject)
    return bool(over)


async def current(
    communities: Collection[UUID] | None, kinds: Collection[str] | None = None
) -> list[Condition]:
    """What is wrong now, newest first. One statement.

    Args:
        communities: of these; None: everything, also what belongs to no community.
        kinds: only these; None: all.
    """
    scope = Q() if communities is None else Q(community_id__in=list(communities))
    if kinds is not None:
        scope &= Q(kind__in=list(kinds))
    rows = await Row.filter(scope, cleared_at__isnull=True).order_by("-since").limit(MOST)
    return [Condition(r.kind, r.subject, r.community_id, r.detail, r.since) for r in rows]
