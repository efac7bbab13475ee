"""What was handed in is not kept longer than it may be asked for (PIPL, Art. 19).

Thirty days after the decision the papers are gone, and what is left of the applicant. Who
lives there is known as a person; what is kept of that is its own to have erased.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api.certification.models import Certification
from business_api.certification.personal import GONE
from business_api.certification.states import OPEN
from business_api.files import attachments
from foundation.runner import Context

KEPT: Final = timedelta(days=30)
_AT_ONCE: Final = 200


async def forget(context: Context) -> int:
    """Forget what is due; how many applications. Five statements for 200 of them."""
    due = Q(forgotten_at=None) & Q(updated_at__lt=context.clock() - KEPT)
    decided = Certification.filter(due).exclude(state__in=list(OPEN))
    forgotten = 0
    while ids := await decided.limit(_AT_ONCE).values_list("id", flat=True):
        await _forget(context, ids)  # type: ignore[arg-type]
        forgotten += len(ids)
    return forgotten


async def _forget(context: Context, ids: list[UUID]) -> None:
    rows = Certification.filter(id__in=ids)
    async with in_transaction():
        await attachments.detach([f"certification/{id_}" for id_ in ids])
        await rows.update(forgotten_at=context.clock(), **GONE)
