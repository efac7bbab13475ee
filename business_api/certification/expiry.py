"""Applications that nobody will decide any more: waited too long, or the account is gone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tortoise.expressions import F, Q, Subquery
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts.models import Account
from business_api.certification import moving
from business_api.certification.models import Certification, CertificationEvent
from business_api.certification.personal import GONE
from business_api.certification.states import MOVES, Action
from business_api.files import attachments
from business_api.tenancy import place
from foundation import audit
from foundation.runner import Context

_AT_ONCE: Final = 200


async def expire(context: Context, which: Q) -> int:
    """End those of `which` whose time is over, so that one can apply again; how many."""
    overdue = Q(which, expires_at__lte=context.clock())
    return await _end(context, Action.EXPIRE, overdue, {})


async def abandon(context: Context) -> int:
    """Take back those of accounts that were deleted, and what was handed in; how many."""
    gone = Account.filter(deleted_at__isnull=False).values("id")
    return await _end(context, Action.CANCEL, Q(account_id__in=Subquery(gone)), GONE)


async def _end(context: Context, action: Action, which: Q, changes: Mapping[str, Any]) -> int:
    """A few statements for 200 of them. Those that somebody decides just now are left alone."""
    ended = 0
    while batch := await _batch(context, action, which, changes):
        ended += len(batch)
        for row in batch:
            moving.count(row)
    return ended


async def _batch(
    context: Context, action: Action, which: Q, changes: Mapping[str, Any]
) -> Sequence[Certification]:
    now = context.clock()
    (to,) = {state for (_, does), state in MOVES.items() if does is action}
    able = [state for state, does in MOVES if does is action]
    async with in_transaction():
        rows = (
            await Certification.filter(which, state__in=able)
            .order_by("id")
            .limit(_AT_ONCE)
            .select_for_update(skip_locked=True)
        )
        if not rows:
            return rows
        await Certification.filter(id__in=[row.id for row in rows]).update(
            state=to, slot=None, version=F("version") + 1, updated_at=now, **changes
        )
        for row in rows:
            row.state, row.version = to, row.version + 1
        await CertificationEvent.bulk_create([_event(row, action, now) for row in rows])
        if changes:
            await attachments.detach([f"certification/{row.id}" for row in rows])
        await audit.append_all([_line(row, action) for row in rows], clock=context.clock)
    return rows


def _event(row: Certification, action: Action, now: datetime) -> CertificationEvent:
    return CertificationEvent(
        certification=row,
        seq=row.version,
        at=now,
        actor=auditing.PLATFORM,
        action=action,
        state=row.state,
        **place(row.site),
    )


def _line(row: Certification, action: Action) -> audit.Line:
    return audit.Line(
        auditing.PLATFORM,
        f"certification.{action}",
        f"certification/{row.id}",
        row.community_id,
        {"after": {"state": row.state}},
        row.operator_id,
        row.company_id,
    )
