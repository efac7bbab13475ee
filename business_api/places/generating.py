"""Making the houses of a building by floor and room, again and again without harm."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.places import buildings
from business_api.places.errors import NoSuchUnit, TooManyHouses, UnitMismatch
from business_api.places.models import Building, House, HouseClass, Unit
from business_api.tenancy import place
from foundation.runner import Context

MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Pattern:
    """Rooms 1 to `rooms` on every floor from `first` to `last` but the `skipped`."""

    first: int
    last: int
    rooms: int
    skipped: Collection[int] = ()
    house_class: HouseClass | None = None
    area: Decimal | None = None

    def houses(self) -> Iterator[tuple[str, str, int]]:
        """Code, room number and floor: 0101, 101, 1."""
        for floor in range(self.first, self.last + 1):
            if floor in self.skipped:
                continue
            for room in range(1, self.rooms + 1):
                yield f"{floor:02}{room:02}", f"{floor}{room:02}", floor

    def __len__(self) -> int:
        floors = set(range(self.first, self.last + 1)) - set(self.skipped)
        return len(floors) * self.rooms


@dataclass(frozen=True, slots=True)
class Generated:
    """A house of the pattern, and whether it was there before."""

    unit_code: str
    code: str
    room_no: str
    floor: int
    exists: bool


async def generate(
    context: Context,
    actor: Actor | str,
    building: Building,
    unit_ids: Sequence[UUID] | None,
    pattern: Pattern,
    *,
    preview: bool,
) -> Sequence[Generated]:
    """Make the houses that are not there yet; those that are stay as they are.

    At most six statements for any number of houses, and one line in the audit.

    Args:
        context: of the process.
        actor: who.
        building: where.
        unit_ids: in which of its units; None: in all of them.
        pattern: which houses.
        preview: only say what would be made.

    Raises:
        UnitMismatch: units were named in a building without, or there are none in one with.
        NoSuchUnit: one is not of this building.
        TooManyHouses: more than `MOST`.
    """
    async with in_transaction():
        has_units = (await buildings.lock(building.id)).has_units
        units = await _units(building, unit_ids) if has_units else []
        if has_units != bool(units) or (unit_ids and not has_units):
            raise UnitMismatch
        parents: list[Unit | None] = [*units] if has_units else [None]
        if len(pattern) * len(parents) > MOST:
            raise TooManyHouses(most=MOST)
        there = House.filter(parent_id__in=[_id(building, unit) for unit in parents])
        known = set(await there.values_list("parent_id", "code"))
        wanted = [
            (
                unit,
                Generated(
                    unit.code if unit else "", *house, (_id(building, unit), house[0]) in known
                ),
            )
            for unit in parents
            for house in pattern.houses()
        ]
        fresh = [(unit, house) for unit, house in wanted if not house.exists]
        if fresh and not preview:
            await _make(context, actor, building, fresh, pattern)
    return [house for _, house in wanted]


async def _units(building: Building, ids: Sequence[UUID] | None) -> Sequence[Unit]:
    which = Unit.filter(building_id=building.id)
    if ids is None:
        return await which.order_by("code")
    units = await which.filter(id__in=list(ids)).order_by("code")
    if len(units) != len(set(ids)):
        raise NoSuchUnit
    return units


async def _make(
    context: Context,
    actor: Actor | str,
    building: Building,
    houses: Sequence[tuple[Unit | None, Generated]],
    pattern: Pattern,
) -> None:
    await House.bulk_create(
        House(
            building=building,
            unit=unit,
            code=house.code,
            room_no=house.room_no,
            floor=house.floor,
            house_class=pattern.house_class,
            area=pattern.area,
            **place(building.site),
        )
        for unit, house in houses
    )
    await auditing.note(
        context,
        actor,
        "house.generate",
        f"building/{building.id}",
        building.site,
        houses=len(houses),
        floors=f"{pattern.first}-{pattern.last}",
        rooms=pattern.rooms,
    )


def _id(building: Building, unit: Unit | None) -> UUID:
    return unit.id if unit else building.id
