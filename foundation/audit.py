"""The audit chain: who did what, in an order nobody can rewrite unseen.

Append inside the transaction of the act itself, so that neither exists without the other.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from foundation.clock import Clock, utc_now
from foundation.db import connection, is_postgres
from foundation.errors import DomainError, Kind
from foundation.models import AuditEvent
from foundation.wire.base import canonical

_LOCK = 0x6C696E6C69_01  # "linli", 1: one appender at a time on PostgreSQL
PAGE = 1000
"""Lines read at once when the chain is checked."""


class ChainBroken(DomainError):
    """Somebody has changed what was written down, behind our back."""

    kind, code, title = Kind.CONFLICT, "audit-broken", "The audit chain is broken"
    title_zh = "审计链已被破坏"


@dataclass(frozen=True, slots=True)
class Line:
    """One line to append; see `append` for the words."""

    actor: str
    action: str
    object: str
    community_id: UUID | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    operator_id: UUID | None = None
    company_id: UUID | None = None


async def append(
    *,
    actor: str,
    action: str,
    object: str,  # noqa: A002  (the word of the field)
    community_id: UUID | None = None,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    clock: Clock = utc_now,
    **facts: Any,
) -> None:
    """Add one line. Joins the caller's transaction; two statements, three on PostgreSQL.

    Args:
        actor: `account/{id}`, `device/{mac}` or `platform`.
        action: `noun.verb`, e.g. `door.open`.
        object: `{kind}/{id}` of what was acted on.
        community_id: whose staff may read it, and those above them in the tenant tree.
        operator_id: the operator, when nothing below says it; None with the others: the
            platform's own.
        company_id: the property company, when no community says it.
        clock: when it was done.
        facts: JSON values; never secrets, never personal data in clear.
    """
    line = Line(actor, action, object, community_id, facts, operator_id, company_id)
    await append_all([line], clock=clock)


async def append_all(lines: Sequence[Line], *, clock: Clock = utc_now) -> None:
    """Add lines, in order. Costs what one costs; nothing when there are none."""
    if not lines:
        return
    async with in_transaction():
        if is_postgres():
            await connection().execute_query("SELECT pg_advisory_xact_lock($1)", [_LOCK])
        last = await AuditEvent.all().order_by("-seq").first().values("seq", "hash")
        prev, now = last["hash"] if last else "", clock()
        rows = []
        for seq, line in enumerate(lines, last["seq"] + 1 if last else 1):
            row = AuditEvent(
                seq=seq,
                at=now,
                actor=line.actor,
                action=line.action,
                object=line.object,
                operator_id=line.operator_id,
                company_id=line.company_id,
                community_id=line.community_id,
                facts=dict(line.facts),
                prev_hash=prev,
            )
            row.hash = prev = _hash(row)
            rows.append(row)
        await AuditEvent.bulk_create(rows)


async def broken_at() -> int | None:
    """The first seq whose line does not fit the chain, or None. Reads everything, in pages."""
    prev, seq = "", 0
    while page := await AuditEvent.filter(seq__gt=seq).order_by("seq").limit(PAGE):
        for line in page:
            if line.prev_hash != prev or line.hash != _hash(line) or line.seq != seq + 1:
                return seq + 1
            prev, seq = line.hash, line.seq
    return None


def _hash(line: AuditEvent) -> str:
    body = {
        "seq": line.seq,
        "at": line.at.isoformat(),
        "actor": line.actor,
        "action": line.action,
        "object": line.object,
        "operator": str(line.operator_id) if line.operator_id else None,
        "company": str(line.company_id) if line.company_id else None,
        "community": str(line.community_id) if line.community_id else None,
        "facts": line.facts,
        "prev": line.prev_hash,
    }
    return hashlib.sha256(canonical(body)).hexdigest()
