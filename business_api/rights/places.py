"""The place that a question about rights is about, found without asking for any."""

from typing import Any
from uuid import UUID

from tortoise.models import Model

from business_api.accounts.errors import OnePlace
from business_api.authz.scope import ScopeType, Site
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.places.models import Building, House
from business_api.rights.explain import Place

_TABLES: dict[ScopeType, type[Model]] = {
    ScopeType.OPERATOR: Operator,
    ScopeType.COMPANY: PropertyCompany,
    ScopeType.COMMUNITY: Community,
    ScopeType.BUILDING: Building,
    ScopeType.HOUSE: House,
}


async def place_of(ids: dict[ScopeType, UUID | None]) -> Place:
    """The place with the one id that is given; with none: the platform. One statement.

    One that is not there is a place all the same: nobody but the platform covers it.

    Raises:
        OnePlace: more than one id.
    """
    given = {level: one for level, one in ids.items() if one is not None}
    if len(given) > 1:
        raise OnePlace
    for level, one in given.items():
        found: Any = await _TABLES[level].get_or_none(id=one)
        if found is None:
            return Place(Site(), known=False)
        return Place(found.site, known=True)
    return Place(Site(), known=True)
