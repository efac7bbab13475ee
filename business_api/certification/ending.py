"""Approvals that are over because living there is: they end in the same transaction."""

from collections.abc import Sequence
from typing import Final

from tortoise.expressions import F, Q

from business_api.actors import Actor
from business_api.certification.models import Certification, CertificationEvent
from business_api.certification.moving import CERTIFICATIONS, named
from business_api.certification.states import Action, State, step
from business_api.residents.endings import ENDINGS
from business_api.residents.models import Occupancy
from business_api.tenancy import place
from foundation.runner import Context

NAME: Final = "certification"


async def end(context: Context, actor: Actor | str, ended: Sequence[Occupancy]) -> None:
    """End the approvals of occupancies that have just ended. Joins the caller's transaction.

    The audit says it with the occupancy's line; one of its own would come too early.
    """
    await _end(context, actor, Q(occupancy_id__in=[home.id for home in ended]))


async def supersede(context: Context, actor: Actor | str, row: Certification) -> None:
    """End what the applicant was certified as before. Joins the caller's transaction."""
    house_id = row.house_id  # type: ignore[attr-defined]
    # The same person may have had another account.
    same = Q(house_id=house_id, account_id=row.account_id) | Q(occupancy_id=row.occupancy_id)
    await _end(context, actor, same & ~Q(id=row.id))


async def _end(context: Context, actor: Actor | str, which: Q) -> None:
    """Four statements; one when there is nothing to end."""
    now, to = context.clock(), step(State.APPROVED, Action.END)
    rows = await Certification.filter(which, state=State.APPROVED).select_for_update()
    if not rows:
        return
    await Certification.filter(id__in=[row.id for row in rows]).update(
        state=to, version=F("version") + 1, updated_at=now
    )
    await CertificationEvent.bulk_create(
        [
            CertificationEvent(
                certification=row,
                seq=row.version + 1,
                at=now,
                actor=named(actor),
                action=Action.END,
                state=to,
                **place(row.site),
            )
            for row in rows
        ]
    )
    for row in rows:
        CERTIFICATIONS.labels(row.path.value, to.value).inc()


ENDINGS.register(NAME, end)
