"""An applicant's data in clear, for reviewers: with a reason, and on record."""

from business_api import auditing
from business_api.actors import Actor
from business_api.certification import personal
from business_api.certification.models import Certification
from business_api.certification.schemas import RevealedOut
from business_api.people.errors import NothingToReveal
from foundation.runner import Context


async def reveal(context: Context, actor: Actor, row: Certification, reason: str) -> RevealedOut:
    """Phone and ID number of an application. The audit's line commits before the answer.

    Raises:
        NothingToReveal: since the approval the person has them, or they are forgotten.
    """
    data = personal.unsealed(context, row)
    if not data.phone and not data.id_number:
        raise NothingToReveal
    await auditing.note(
        context,
        actor,
        "certification.reveal",
        f"certification/{row.id}",
        row.site,
        reason=reason,
    )
    return RevealedOut(phone=data.phone, id_number=data.id_number)
