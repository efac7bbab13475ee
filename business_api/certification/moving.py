"""Taking an application one step further: the row, its event, what follows, and the audit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from prometheus_client import Counter
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.certification.models import Certification, CertificationEvent
from business_api.certification.states import OPEN, Action, IllegalMove, State, allowed, step
from business_api.residents import doors
from business_api.tenancy import place
from foundation.runner import Context

CERTIFICATIONS = Counter(
    "certifications_total",
    "Applications made, and what became of them, by path and state.",
    ["path", "outcome"],
)


@asynccontextmanager
async def moving(
    context: Context,
    actor: Actor | str,
    row: Certification,
    action: Action,
    *,
    reason: str = "",
    **changes: Any,
) -> AsyncIterator[None]:
    """Take `row` one step; the block does what follows from it, in the same transaction.

    Of two who act at once one wins: the update asks for the state and version that were
    read. `row` is as it is after the step. The audit's line comes last: its lock is held by
    one transaction at a time, and who has it must not wait for another row.

    Args:
        context: of the process.
        actor: who.
        row: as it was read.
        action: the step.
        reason: why, in somebody's words; kept with the step, not in the audit.
        changes: other columns to set.

    Raises:
        IllegalMove: the step is not in the table, or somebody else was first.
    """
    before, to = row.state, step(row.state, action)
    changes |= {"state": to, "version": row.version + 1, "updated_at": context.clock()}
    if to not in OPEN:
        changes["slot"] = None
    if reason:
        changes["reason"] = reason
    async with in_transaction():
        await doors.lock(row.account_id)  # what follows may change its rights
        was = Certification.filter(id=row.id, state=before, version=row.version)
        if not await was.update(**changes):
            await moved_on(row, action)
        row.update_from_dict(changes)
        await record(context, actor, row, action, reason)
        yield
        await note(context, actor, row, action, before)
    count(row)


async def record(
    context: Context,
    actor: Actor | str,
    row: Certification,
    action: Action | None = None,
    reason: str = "",
) -> None:
    """Write down the step that brought `row` where it is. Joins the caller's transaction."""
    await CertificationEvent.create(
        certification=row,
        seq=row.version,
        at=context.clock(),
        actor=named(actor),
        action=action,
        state=row.state,
        reason=reason,
        **place(row.site),
    )


async def note(
    context: Context, actor: Actor | str, row: Certification, action: Action, before: State
) -> None:
    """Add the step to the audit. Joins the caller's transaction."""
    await auditing.note(
        context,
        actor,
        f"certification.{action}",
        f"certification/{row.id}",
        row.site,
        before={"state": before},
        after={"state": row.state},
    )


def named(actor: Actor | str) -> str:
    """The actor as the audit names it."""
    return actor.audit if isinstance(actor, Actor) else actor


def count(row: Certification) -> None:
    """Count where an application has come; after COMMIT."""
    CERTIFICATIONS.labels(row.path.value, row.state.value).inc()


async def moved_on(row: Certification, action: Action) -> NoReturn:
    """Say how an application stands that was read before somebody else changed it.

    Raises:
        IllegalMove: always.
    """
    now = await Certification.get(id=row.id)
    raise IllegalMove(
        f"{action}: it is {now.state} by now",
        state=now.state.value,
        allowed=[one.value for one in allowed(now.state)],
    )
