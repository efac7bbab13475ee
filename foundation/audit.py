"""The audit chain: who did what, in an order nobody can rewrite unseen.

Append inside the transaction of the act itself, so that neither exists without the other.
"""

import hashlib
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from foundation.clock import Clock, utc_now
from foundation.db import connection, is_postgres
from foundation.models import AuditEvent
from foundation.wire.base import canonical

_LOCK = 0x6C696E6C69_01  # "linli", 1: one appender at a time on PostgreSQL


async def append(
    *,
    actor: str,
    action: str,
    object: str,  # noqa: A002  (the word of the field)
    community_id: UUID | None = None,
    clock: Clock = utc_now,
    **facts: Any,
) -> None:
    """Add one line. Joins the caller's transaction; two statements, three on PostgreSQL.

    Args:
        actor: `account/{id}`, `device/{mac}` or `platform`.
        action: `noun.verb`, e.g. `door.open`.
        object: `{kind}/{id}` of what was acted on.
        community_id: whose staff may read it; None: the operator's only.
        clock: when it was done.
        facts: JSON values; never secrets, never personal data in clear.
    """
    async with in_transaction():
        if is_postgres():
            await connection().execute_query("SELECT pg_advisory_xact_lock($1)", [_LOCK])
        last = await AuditEvent.all().order_by("-seq").first().values("seq", "hash")
        line = AuditEvent(
            seq=last["seq"] + 1 if last else 1,
            at=clock(),
            actor=actor,
            action=action,
            object=object,
            community_id=community_id,
            facts=facts,
            prev_hash=last["hash"] if last else "",
        )
        line.hash = _hash(line)
        await line.save(force_create=True)


async def broken_at() -> int | None:
    """The first seq whose line does not fit the chain, or None. Reads everything, in pages."""
    prev, seq = "", 0
    while page := await AuditEvent.filter(seq__gt=seq).order_by("seq").limit(1000):
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
        "community": str(line.community_id) if line.community_id else None,
        "facts": line.facts,
        "prev": line.prev_hash,
    }
    return hashlib.sha256(canonical(body)).hexdigest()
