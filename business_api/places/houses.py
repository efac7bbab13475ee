"""房屋 (F24): on a unit, or on the building where it has no units (BR3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.places import buildings, editing
from business_api.places.errors import UnitMismatch
from business_api.places.models import Building, House, HouseClass, HouseState, Unit
from business_api.tenancy import place
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class NewHouse:
    """A house to be: `code` is floor and room ("0101"), `area` in m² with two decimals."""

    code: str
    room_no: str = ""
    floor: int | None = None
    house_class: HouseClass | None = None
    area: Decimal | None = None
    state: HouseState = HouseState.VACANT


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which houses a list shows; None: any. Ids only narrow what the actor may see."""

    community_id: UUID | None = None
    zone_id: UUID | None = None
    building_id: UUID | None = None
    unit_id: UUID | None = None
    house_class: HouseClass | None = None
    state: HouseState | None = None
    search: str = ""


async def create_house(
    context: Context, actor: Actor | str, building: Building, unit: Unit | None, new: NewHouse
) -> House:
    """Add a house; building and unit are loaded on it.

    Raises:
        UnitMismatch: a unit is missing, too many, or of another building.
        NoSuchBuilding: it has been deleted meanwhile.
        CodeTaken: the unit, or the building without units, has a house with this code.
    """
    async with in_transaction():
        has_units = (await buildings.lock(building.id)).has_units
        elsewhere = unit is not None and unit.building_id != building.id  # type: ignore[attr-defined]
        if has_units != (unit is not None) or elsewhere:
            raise UnitMismatch
        row = House(
            building=building,
            unit=unit,
            code=new.code,
            room_no=new.room_no,
            floor=new.floor,
            house_class=new.house_class,
            area=new.area,
            state=new.state,
            **place(building.site),
        )
        return await editing.make(context, actor, row)


async def change_house(
    context: Context, actor: Actor | str, row: House, changes: Mapping[str, Any], version: int
) -> House:
    """Change some of `NewHouse`'s fields; where it is stays.

    Raises:
        Stale, CodeTaken: see `editing.change`.
    """
    return await editing.change(context, actor, row, changes, version)


async def listed(
    actor: Actor, wanted: Wanted, *, offset: int = 0, limit: int = 10
) -> tuple[Sequence[House], int]:
    """Houses by building, unit and code, with both loaded, and how many. Two statements."""
    which = House.filter(actor.within(Permission.HOUSE_VIEW, House.SCOPES), _filter(wanted))
    return await _ordered(which).offset(offset).limit(limit), await which.count()


def _filter(wanted: Wanted) -> Q:
    asked: dict[str, Any] = {
        "community_id": wanted.community_id,
        "building__zone_id": wanted.zone_id,
        "building_id": wanted.building_id,
        "unit_id": wanted.unit_id,
        "house_class": wanted.house_class,
        "state": wanted.state,
    }
    narrowed = Q(**{name: value for name, value in asked.items() if value is not None})
    return narrowed & found_by(wanted.search)


def found_by(text: str) -> Q:
    """Houses with `text` in their code, room number, or building's name or code."""
    if not text:
        return Q()
    return (
        Q(code__icontains=text)
        | Q(room_no__icontains=text)
        | Q(building__name__icontains=text)
        | Q(building__code__icontains=text)
    )


def _ordered(which: QuerySet[House]) -> QuerySet[House]:
    order = ("community_id", "building__code", "unit__code", "code")
    return which.order_by(*order).select_related("building", "unit")
