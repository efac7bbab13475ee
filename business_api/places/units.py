"""单元 (F23): a stairwell of a building, with a door of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.places import buildings, editing
from business_api.places.errors import NoUnitsHere
from business_api.places.models import Building, Unit
from business_api.tenancy import place
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit to be. `floors` and `lift`: None when nobody has said."""

    code: str
    floors: int | None = None
    lift: bool | None = None


async def create_unit(
    context: Context, actor: Actor | str, building: Building, new: NewUnit
) -> Unit:
    """Add a unit.

    Raises:
        NoUnitsHere: the building is not divided.
        NoSuchBuilding: it has been deleted meanwhile.
        CodeTaken: the building has a unit with this code.
    """
    async with in_transaction():
        if not (await buildings.lock(building.id)).has_units:
            raise NoUnitsHere
        row = Unit(
            building=building,
            code=new.code,
            floors=new.floors,
            lift=new.lift,
            **place(building.site),
        )
        return await editing.make(context, actor, row)


async def change_unit(
    context: Context, actor: Actor | str, row: Unit, changes: Mapping[str, Any], version: int
) -> Unit:
    """Change some of `NewUnit`'s fields.

    Raises:
        Stale, CodeTaken: see `editing.change`.
    """
    return await editing.change(context, actor, row, changes, version)


async def listed(
    actor: Actor,
    *,
    community_id: UUID | None = None,
    building_id: UUID | None = None,
    search: str = "",
    offset: int = 0,
    limit: int = 10,
) -> tuple[Sequence[Unit], int]:
    """Units by building and code, with their buildings, and how many. Two statements."""
    which = Unit.filter(actor.within(Permission.PLACE_VIEW, Unit.SCOPES))
    if community_id is not None:
        which = which.filter(community_id=community_id)
    if building_id is not None:
        which = which.filter(building_id=building_id)
    if search:
        which = which.filter(Q(code__icontains=search) | Q(building__name__icontains=search))
    page = which.order_by("community_id", "building__code", "code").offset(offset).limit(limit)
    return await page.select_related("building"), await which.count()
