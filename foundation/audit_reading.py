"""Reading the audit chain: the lines of a part of the tenant tree, the latest first."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tortoise.expressions import Q

from foundation.models import AuditEvent

MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose lines: those of these operators, companies and communities; or everything."""

    operators: Collection[UUID] = ()
    companies: Collection[UUID] = ()
    communities: Collection[UUID] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which lines; times are [since, until). `action` may end in `.*`: all of one noun."""

    since: datetime
    until: datetime
    actor: str = ""
    action: str = ""
    object: str = ""
    community_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `facts` may hold `before`, `after`, `address` and more."""

    seq: int
    at: datetime
    actor: str
    action: str
    object: str
    operator_id: UUID | None
    company_id: UUID | None
    community_id: UUID | None
    facts: dict[str, Any]
    hash: str


async def lines(
    scope: Scope, wanted: Wanted, *, before: int | None = None, limit: int = 10
) -> tuple[list[Entry], int | None]:
    """A page of lines, the latest first, and what to give as `before` for the next.

    One statement. `limit`: 100 at most.
    """
    limit = max(1, min(limit, MOST))
    which = AuditEvent.filter(_within(scope), at__gte=wanted.since, at__lt=wanted.until)
    if before is not None:
        which = which.filter(seq__lt=before)
    if wanted.actor:
        which = which.filter(actor=wanted.actor)
    if wanted.action.endswith(".*"):
        which = which.filter(action__startswith=wanted.action.removesuffix("*"))
    elif wanted.action:
        which = which.filter(action=wanted.action)
    if wanted.object:
        which = which.filter(object=wanted.object)
    if wanted.community_id is not None:
        which = which.filter(community_id=wanted.community_id)
    rows = await which.order_by("-seq").limit(limit + 1)
    more = rows[limit - 1].seq if len(rows) > limit else None
    return [_entry(row) for row in rows[:limit]], more


async def pages(scope: Scope, wanted: Wanted) -> AsyncIterator[list[Entry]]:
    """All lines, a page at a time: one statement for every 100."""
    before: int | None = None
    while True:
        page, before = await lines(scope, wanted, before=before, limit=MOST)
        yield page
        if before is None:
            return


def _within(scope: Scope) -> Q:
    if scope.everything:
        return Q()
    return Q(
        Q(operator_id__in=list(scope.operators)),
        Q(company_id__in=list(scope.companies)),
        Q(community_id__in=list(scope.communities)),
        join_type=Q.OR,
    )


def _entry(row: AuditEvent) -> Entry:
    return Entry(
        row.seq,
        row.at,
        row.actor,
        row.action,
        row.object,
        row.operator_id,
        row.company_id,
        row.community_id,
        row.facts,
        row.hash,
    )
