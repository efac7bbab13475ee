"""Finding one application for somebody: there, and theirs to do that with; else the same error."""

from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.certification.errors import NoSuchCertification, OwnMatter
from business_api.certification.models import Certification
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import unended
from foundation.runner import Context


async def certification(
    actor: Actor, permission: Permission, certification_id: UUID
) -> Certification:
    """One application. One statement.

    What an owner may do, it may with those who want to live with it, and not with another
    owner: who buys a house is not refused by who sold it.

    Raises:
        NoSuchCertification: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await Certification.get_or_none(id=certification_id)
    if found is None:
        raise NoSuchCertification
    grant = actor.require(permission, found.site, NoSuchCertification)
    if grant.scope_type is ScopeType.HOUSE and found.type is ResidentType.OWNER:
        raise NoSuchCertification
    return found


async def for_review(context: Context, actor: Actor, certification_id: UUID) -> Certification:
    """One application, for somebody who reviews it and has no part in it. Two statements.

    Raises:
        NoSuchCertification, NotAllowed: as in `certification`.
        OwnMatter: it is about the actor itself, or about its home.
    """
    found = await certification(actor, Permission.CERTIFICATION_REVIEW, certification_id)
    if await own_matter(context, actor, found):
        raise OwnMatter
    return found


async def own_matter(context: Context, actor: Actor, row: Certification) -> bool:
    """Whether the actor applied itself, or lives in that house or is to. One statement."""
    if row.account_id == actor.account_id:
        return True
    return await Occupancy.filter(
        unended(context.clock()),
        house_id=row.house_id,  # type: ignore[attr-defined]
        person__account_id=actor.account_id,
    ).exists()


async def own(actor: Actor, certification_id: UUID) -> Certification:
    """One of the actor's own applications. One statement.

    Raises:
        NoSuchCertification: it has none with this id.
    """
    found = await Certification.get_or_none(id=certification_id, account_id=actor.account_id)
    if found is None:
        raise NoSuchCertification
    return found
