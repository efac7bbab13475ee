"""Applications that waited too long: over, so that one can apply again."""

from datetime import datetime
from typing import Final

from tortoise.expressions import F, Q
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.certification import moving
from business_api.certification.models import Certification, CertificationEvent
from business_api.certification.states import MOVES, Action, State
from business_api.tenancy import place
from foundation import audit
from foundation.runner import Context

_AT_ONCE: Final = 200
_WAITING: Final = [state for state, action in MOVES if action is Action.EXPIRE]


async def expire(context: Context, which: Q) -> int:
    """End those of `which` whose time is over; how many. A few statements for 200 of them."""
    ended = 0
    while batch := await _batch(context, which):
        ended += len(batch)
    return ended


async def _batch(context: Context, which: Q) -> list[Certification]:
    now = context.clock()
    async with in_transaction():
        rows = (
            await Certification.filter(which, state__in=_WAITING, expires_at__lte=now)
            .order_by("id")
            .limit(_AT_ONCE)
            .select_for_update(skip_locked=True)
        )
        if not rows:
            return []
        await Certification.filter(id__in=[row.id for row in rows]).update(
            state=State.EXPIRED, slot=None, version=F("version") + 1, updated_at=now
        )
        for row in rows:
            row.state, row.version = State.EXPIRED, row.version + 1
        await CertificationEvent.bulk_create([_event(row, now) for row in rows])
        await audit.append_all([_line(row) for row in rows], clock=context.clock)
    for row in rows:
        moving.count(row)
    return rows


def _event(row: Certification, now: datetime) -> CertificationEvent:
    return CertificationEvent(
        certification=row,
        seq=row.version,
        at=now,
        actor=auditing.PLATFORM,
        action=Action.EXPIRE,
        state=row.state,
        **place(row.site),
    )


def _line(row: Certification) -> audit.Line:
    return audit.Line(
        auditing.PLATFORM,
        "certification.expire",
        f"certification/{row.id}",
        row.community_id,
        {"after": {"state": row.state}},
        row.operator_id,
        row.company_id,
    )
