"""Lists of who lives where."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tortoise.expressions import Q

from business_api.actors import Actor
from business_api.organisations.models import Community
from business_api.people.models import Person
from business_api.residents import find
from business_api.residents.models import HandOver, Occupancy, ResidentType
from business_api.residents.times import Standing, unended, with_standing

_HOUSE = ("house", "house__building", "house__unit")
_BY_HOUSE = ("house__building__code", "house__unit__code", "house__code", "call_order", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which residents; what is None or empty is not asked."""

    community_id: UUID | None = None
    building_id: UUID | None = None
    house_id: UUID | None = None
    type: ResidentType | None = None
    standing: Standing | None = None
    """None: those who have not ended."""
    search: str = ""
    """Part of a name, or of a house's code."""


async def residents(
    actor: Actor, wanted: Wanted, *, offset: int, limit: int
) -> tuple[list[Occupancy], int]:
    """By house and call order, and how many there are. Two statements."""
    times = with_standing(wanted.standing, actor.now) if wanted.standing else unended(actor.now)
    which = Occupancy.filter(find.visible(actor), times)
    for name in ("community_id", "building_id", "house_id", "type"):
        if (value := getattr(wanted, name)) is not None:
            which = which.filter(**{name: value})
    if wanted.search:
        which = which.filter(
            Q(person__name__icontains=wanted.search)
            | Q(house__code__icontains=wanted.search)
            | Q(house__room_no__icontains=wanted.search)
        )
    shown = which.select_related("person", *_HOUSE).order_by(*_BY_HOUSE)
    return await shown.offset(offset).limit(limit), await which.count()


async def homes_of_people(people: Sequence[Person], most: int) -> dict[UUID, list[Occupancy]]:
    """Where these live, lived and are to live, newest first. One statement."""
    homes: dict[UUID, list[Occupancy]] = {person.id: [] for person in people}
    if homes:
        found = Occupancy.filter(person_id__in=list(homes)).select_related("person", *_HOUSE)
        for home in await found.order_by("-valid_from", "id").limit(most):
            homes[home.person.id].append(home)
    return homes


async def homes_of(
    actor: Actor, *, offset: int, limit: int
) -> tuple[list[Occupancy], dict[UUID, str], int]:
    """Where the actor itself lives or is to live, the communities' names, and how many.

    Three statements.
    """
    which = Occupancy.filter(unended(actor.now), person__account_id=actor.account_id)
    shown = which.select_related(*_HOUSE).order_by("community_id", *_BY_HOUSE)
    homes = await shown.offset(offset).limit(limit)
    communities = await Community.filter(id__in={home.community_id for home in homes})
    return homes, {one.id: one.name for one in communities}, await which.count()


async def hand_overs(house_id: UUID, *, offset: int, limit: int) -> tuple[list[HandOver], int]:
    """Of a house, newest first, and how many. Two statements."""
    which = HandOver.filter(house_id=house_id)
    return await which.order_by("-at", "-id").offset(offset).limit(limit), await which.count()


async def names_of(rows: Sequence[HandOver]) -> dict[str, str]:
    """Who moved out with these: names by occupancy. One statement."""
    ids = [id_ for row in rows for id_ in row.occupancy_ids]
    names = await Occupancy.filter(id__in=ids).values_list("id", "person__name") if ids else []
    return {str(id_): name for id_, name in names}
