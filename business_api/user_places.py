"""The place that somebody at a shell means: by id, or by name when that is enough."""

from typing import Any
from uuid import UUID

from tortoise.queryset import QuerySet

from business_api.authz.roles import SCOPE, Role
from business_api.authz.scope import ScopeType, Site
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.places.models import Building, House
from foundation.errors import DomainError, Kind


class NoSuchPlace(DomainError):
    """Nothing at which the role can be held is called so, or more than one."""

    kind, code, title = Kind.NOT_FOUND, "no-such-place", "There is no such place for this role"
    title_zh = "没有适用于该角色的范围"


async def found_site(role: Role, typed: str) -> Site:
    """The place called `typed` at which `role` can be held.

    Args:
        role: tells at which levels to look.
        typed: an id, a name, COMMUNITY/BUILDING, or nothing for the platform.

    Raises:
        NoSuchPlace: none is called so, or several are: give the id.
    """
    if not typed:
        if ScopeType.PLATFORM in SCOPE[role]:
            return Site()
        levels = ", ".join(sorted(SCOPE[role]))
        raise NoSuchPlace(f"{role.value}: say --at which {levels}")
    found = [
        site for level in ScopeType if level in SCOPE[role] for site in await _at(level, typed)
    ]
    if len(found) != 1:
        raise NoSuchPlace(f"{len(found)} called {typed}" if found else typed)
    return found[0]


async def any_site(typed: str) -> Site:
    """The place called `typed`, at any level; a house by its id only.

    Raises:
        NoSuchPlace: none is called so, or several are: give the id.
    """
    if not typed:
        return Site()
    found = [site for level in ScopeType for site in await _at(level, typed)]
    if len(found) != 1:
        raise NoSuchPlace(f"{len(found)} called {typed}" if found else typed)
    return found[0]


async def _at(level: ScopeType, typed: str) -> list[Site]:
    called = _called(typed)
    queries: dict[ScopeType, QuerySet[Any]] = {
        ScopeType.OPERATOR: Operator.filter(**called),
        ScopeType.COMPANY: PropertyCompany.filter(**called),
        ScopeType.COMMUNITY: Community.filter(**called),
        ScopeType.HOUSE: House.filter(**_called(typed, by_name=False)),
    }
    if level is ScopeType.BUILDING:
        return await _buildings(typed)
    if level not in queries:
        return []
    return [row.site for row in await queries[level].limit(2)]


async def _buildings(typed: str) -> list[Site]:
    community, _, building = typed.rpartition("/")
    if not community:
        return [row.site for row in await Building.filter(**_called(typed, by_name=False))]
    inside = await Community.filter(**_called(community)).limit(2)
    found = Building.filter(community_id__in=[row.id for row in inside], **_called(building))
    return [row.site for row in await found.limit(2)]


def _called(typed: str, *, by_name: bool = True) -> dict[str, Any]:
    try:
        return {"id": UUID(typed)}
    except ValueError:
        return {"name": typed} if by_name else {"id__in": []}
