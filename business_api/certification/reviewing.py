"""What staff and owners decide: approve, reject, refuse, take away again (BR4)."""

from uuid import UUID

from business_api.accounts import sessions
from business_api.actors import Actor, NotAllowed
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.certification import admitting, find, telling
from business_api.certification.errors import NoSuchCertification
from business_api.certification.models import Certification
from business_api.certification.moving import moving
from business_api.certification.states import Action, step
from business_api.messages import tell
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from foundation.runner import Context


async def approve(context: Context, actor: Actor, certification_id: UUID) -> Certification:
    """Approve an application: its applicant lives there from now on.

    Raises:
        NoSuchCertification, NotAllowed: see there.
        OwnMatter: the actor applied itself, or lives in that house.
        IllegalMove: it is not for review, or another reviewer was first.
    """
    row = await find.for_review(context, actor, certification_id)
    step(row.state, Action.APPROVE)
    await admitting.admit(
        context,
        actor,
        row,
        Action.APPROVE,
        reviewed_by=actor.account_id,
        reviewed_at=context.clock(),
    )
    return row


async def reject(
    context: Context, actor: Actor, certification_id: UUID, reason: str
) -> Certification:
    """Reject an application; the applicant reads the reason, and may apply anew.

    Raises:
        NoSuchCertification, NotAllowed, OwnMatter, IllegalMove: as in `approve`.
    """
    row = await find.for_review(context, actor, certification_id)
    async with moving(
        context,
        actor,
        row,
        Action.REJECT,
        reason=reason,
        reviewed_by=actor.account_id,
        reviewed_at=context.clock(),
    ):
        await telling.rejected(context, row)
    context.wake.kick(tell.TOPIC)
    return row


async def refuse(
    context: Context, actor: Actor, certification_id: UUID, reason: str
) -> Certification:
    """An owner says that this person does not come to live there.

    Raises:
        NoSuchCertification, NotAllowed, IllegalMove: as in `approve`.
    """
    row = await find.certification(actor, Permission.CERTIFICATION_REVOKE, certification_id)
    async with moving(context, actor, row, Action.REFUSE, reason=reason):
        await telling.refused(context, row)
    context.wake.kick(tell.TOPIC)
    return row


async def revoke(
    context: Context, actor: Actor, certification_id: UUID, reason: str
) -> Certification:
    """Take a right away again: the occupancy ends, and with it everything it gave.

    Raises:
        NoSuchCertification, NotAllowed, IllegalMove: as in `approve`.
    """
    row = await find.certification(actor, Permission.CERTIFICATION_REVOKE, certification_id)
    step(row.state, Action.REVOKE)
    occupancy = await Occupancy.get_or_none(id=row.occupancy_id, ended_at=None)
    if occupancy is not None and occupancy.type is ResidentType.OWNER:
        _no_owner_among_owners(actor, row)
    async with moving(context, actor, row, Action.REVOKE, reason=reason):
        if occupancy is not None:
            await moves.end(context, actor, occupancy, "revoked")
        await telling.revoked(context, row)
    context.wake.kick(sessions.TOPIC)
    context.wake.kick(tell.TOPIC)
    return row


def _no_owner_among_owners(actor: Actor, row: Certification) -> None:
    """A member who became an owner since is not sent away by another one."""
    grant = actor.require(Permission.CERTIFICATION_REVOKE, row.site, NoSuchCertification)
    if grant.scope_type is ScopeType.HOUSE:
        raise NotAllowed("an owner's right is the staff's to take away")
