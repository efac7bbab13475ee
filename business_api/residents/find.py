"""Finding who lives somewhere for somebody: staff see all, a household sees itself."""

from dataclasses import replace
from uuid import UUID

from tortoise.expressions import Q

from business_api.actors import Actor, NotAllowed
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from business_api.residents.errors import NoSuchOccupancy
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import Standing, standing, unended, with_standing


def is_staff(actor: Actor, site: Site) -> bool:
    """Whether it sees who lives at `site` for another reason than living there itself."""
    return actor.may(Permission.RESIDENT_VIEW, replace(site, house_id=None))


def visible(actor: Actor) -> Q:
    """The filter of a list of occupancies.

    Staff see everybody in their communities. Who lives in a house sees who lives there now,
    not who did; an owner also who is to come.
    """
    above = dict(Occupancy.SCOPES)
    del above[ScopeType.HOUSE]
    shown = actor.within(Permission.RESIDENT_VIEW, above)
    for permission, times in (
        (Permission.RESIDENT_VIEW, with_standing(Standing.LIVE, actor.now)),
        (Permission.RESIDENT_END, unended(actor.now)),
    ):
        houses = actor.reach(permission).ids.get(ScopeType.HOUSE)
        if houses:
            shown |= Q(house_id__in=list(houses)) & times
    return shown


async def occupancy(actor: Actor, permission: Permission, occupancy_id: UUID) -> Occupancy:
    """One occupancy, its person and its house with building and unit loaded. One statement.

    Raises:
        NoSuchOccupancy: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await Occupancy.get_or_none(id=occupancy_id).select_related(
        "person", "house", "house__building", "house__unit"
    )
    if found is None:
        raise NoSuchOccupancy
    actor.require(Permission.RESIDENT_VIEW, found.site, NoSuchOccupancy)
    if not is_staff(actor, found.site):
        when = standing(found, actor.now)
        may_see = when is Standing.LIVE or (
            when is Standing.FUTURE and actor.may(Permission.RESIDENT_END, found.site)
        )
        if not may_see:
            raise NoSuchOccupancy
    actor.require(permission, found.site, NoSuchOccupancy)
    return found


async def to_end(actor: Actor, occupancy_id: UUID) -> tuple[Occupancy, str]:
    """One occupancy that the actor may end, and the reason to write down.

    Staff end anybody's. An owner ends those of his house who are not owners (BR5: he let
    them in), and never another owner's.

    Raises:
        NoSuchOccupancy, NotAllowed: as in `occupancy`.
    """
    found = await occupancy(actor, Permission.RESIDENT_END, occupancy_id)
    if actor.may(Permission.RESIDENT_MANAGE, found.site):
        return found, "ended_by_staff"
    if found.type is ResidentType.OWNER:
        raise NotAllowed("an owner's occupancy")
    return found, "ended_by_owner"
