"""Places at which roles are held: found for somebody, and called by their names."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from business_api.accounts.errors import OnePlace
from business_api.accounts.models import RoleGrant
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from business_api.organisations import find as organisations
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.places import find as places
from business_api.places import names
from business_api.places.models import Building


async def site_of(
    actor: Actor,
    permission: Permission,
    *,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    community_id: UUID | None = None,
    building_id: UUID | None = None,
) -> Site:
    """The place named by one id; by none: the platform. At most one statement.

    Raises:
        OnePlace: more than one id.
        NoSuchOperator, NoSuchCompany, NoSuchCommunity, NoSuchBuilding: there is none, or
            none at which the actor may know of such things.
        NotAllowed: the actor may not do that there.
    """
    ids = (operator_id, company_id, community_id, building_id)
    if sum(given is not None for given in ids) > 1:
        raise OnePlace
    if operator_id is not None:
        return (await organisations.operator(actor, permission, operator_id)).site
    if company_id is not None:
        return (await organisations.company(actor, permission, company_id)).site
    if community_id is not None:
        return (await organisations.community(actor, permission, community_id)).site
    if building_id is not None:
        return (await places.building(actor, permission, building_id)).site
    return Site()


async def names_of(scopes: Collection[tuple[ScopeType, UUID | None]]) -> dict[UUID, str]:
    """What places are called; a statement for each level there is, at most five.

    For scopes of roles the caller may see: nothing is checked here.
    """
    wanted: defaultdict[ScopeType, list[UUID]] = defaultdict(list)
    for level, scope_id in scopes:
        if scope_id is not None:
            wanted[level].append(scope_id)
    called: dict[UUID, str] = {}
    if ids := wanted[ScopeType.OPERATOR]:
        called |= {row.id: row.name for row in await Operator.filter(id__in=ids)}
    if ids := wanted[ScopeType.COMPANY]:
        called |= {row.id: row.name for row in await PropertyCompany.filter(id__in=ids)}
    if ids := wanted[ScopeType.COMMUNITY]:
        called |= {row.id: row.name for row in await Community.filter(id__in=ids)}
    if ids := wanted[ScopeType.BUILDING]:
        called |= {row.id: row.name for row in await Building.filter(id__in=ids)}
    return called | await names.of_houses(wanted[ScopeType.HOUSE])


async def words_around(site: Site) -> tuple[str, ...]:
    """The names of the organisations of a place: no part of a password there."""
    called = await names_of(
        [
            (level, site.at(level))
            for level in (ScopeType.OPERATOR, ScopeType.COMPANY, ScopeType.COMMUNITY)
        ]
    )
    return tuple(called.values())


async def words_of(account_id: UUID) -> tuple[str, ...]:
    """The same, for every role of an account. At most four statements."""
    held = await RoleGrant.filter(account_id=account_id)
    called = await names_of(
        [
            (level, row.site.at(level))
            for row in held
            for level in (ScopeType.OPERATOR, ScopeType.COMPANY, ScopeType.COMMUNITY)
        ]
    )
    return tuple(called.values())
