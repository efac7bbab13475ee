"""Finding one organisation for somebody: there, and theirs to do that with."""

from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.organisations.errors import NoSuchCommunity, NoSuchCompany, NoSuchOperator
from business_api.organisations.models import Community, Operator, PropertyCompany


async def operator(actor: Actor, permission: Permission, operator_id: UUID) -> Operator:
    """One operator. One statement.

    Raises:
        NoSuchOperator: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await Operator.get_or_none(id=operator_id)
    return actor.found(permission, found, NoSuchOperator)


async def company(actor: Actor, permission: Permission, company_id: UUID) -> PropertyCompany:
    """One property company. One statement.

    Raises:
        NoSuchCompany, NotAllowed: as in `operator`.
    """
    found = await PropertyCompany.get_or_none(id=company_id)
    return actor.found(permission, found, NoSuchCompany)


async def community(actor: Actor, permission: Permission, community_id: UUID) -> Community:
    """One community. One statement.

    Raises:
        NoSuchCommunity, NotAllowed: as in `operator`.
    """
    found = await Community.get_or_none(id=community_id)
    return actor.found(permission, found, NoSuchCommunity)
