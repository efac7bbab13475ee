"""Houses (房屋): on a unit, or on the building where it has no units (BR3)."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q

from business_api.places.errors import CodeTaken, NoSuchBuilding, NoSuchHouse, UnitMismatch
from business_api.places.models import Building, House, Unit
from business_api.versions import Stale


@dataclass(frozen=True, slots=True)
class HouseRow:
    """A house and what it hangs on. `unit_code` is empty where there are no units."""

    id: UUID
    code: str
    community_id: UUID
    building_id: UUID
    building_name: str
    unit_id: UUID | None
    unit_code: str
    version: int

    @property
    def way_home(self) -> tuple[UUID, ...]:
        """The places whose doors stand between the street and this house."""
        upper = (self.community_id, self.building_id)
        return (*upper, self.unit_id) if self.unit_id else upper


async def create_house(
    community_id: UUID, building_id: UUID, unit_id: UUID | None, code: str
) -> HouseRow:
    """Add a house.

    Raises:
        NoSuchBuilding: the community has no such building.
        UnitMismatch: a unit is missing, too many, or of another building.
        CodeTaken: the unit, or the building without units, has a house with this code.
    """
    building = await Building.get_or_none(id=building_id, community_id=community_id)
    if building is None:
        raise NoSuchBuilding
    unit = await Unit.get_or_none(id=unit_id, building_id=building_id) if unit_id else None
    if building.has_units != (unit is not None) or (unit_id is not None and unit is None):
        raise UnitMismatch
    try:
        made = await House.create(
            community_id=community_id, building=building, unit=unit, code=code
        )
    except IntegrityError:
        raise CodeTaken(code=code) from None
    return await house(community_id, made.id)


async def house(community_id: UUID, house_id: UUID) -> HouseRow:
    """One house of a community.

    Raises:
        NoSuchHouse: there is none there.
    """
    which = House.filter(id=house_id, community_id=community_id)
    found = await which.select_related("building", "unit").first()
    if found is None:
        raise NoSuchHouse
    return row(found)


async def houses(
    community_id: UUID,
    *,
    search: str = "",
    building_id: UUID | None = None,
    unit_id: UUID | None = None,
    offset: int = 0,
    limit: int = 10,
) -> tuple[list[HouseRow], int]:
    """Houses by building, unit and code, and how many; `search` in the code. Two statements."""
    which = House.filter(community_id=community_id)
    if building_id is not None:
        which = which.filter(building_id=building_id)
    if unit_id is not None:
        which = which.filter(unit_id=unit_id)
    if search:
        which = which.filter(Q(code__icontains=search) | Q(building__name__icontains=search))
    rows = (
        await which.select_related("building", "unit")
        .order_by("building__code", "unit__code", "code", "id")
        .offset(offset)
        .limit(limit)
    )
    return [row(found) for found in rows], await which.count()


async def rename_house(community_id: UUID, house_id: UUID, code: str, *, version: int) -> HouseRow:
    """Change a house's code, if the house is still at `version`.

    Raises:
        NoSuchHouse: there is none there.
        Stale: somebody changed it since.
        CodeTaken: another house beside it has this code.
    """
    try:
        changed = await House.filter(
            id=house_id, community_id=community_id, version=version
        ).update(code=code, version=F("version") + 1)
    except IntegrityError:
        raise CodeTaken(code=code) from None
    found = await house(community_id, house_id)
    if not changed:
        raise Stale
    return found


async def names(community_id: UUID, house_ids: Collection[UUID]) -> dict[UUID, str]:
    """What houses of a community are called: 1号楼 1单元 0101. One statement."""
    if not house_ids:
        return {}
    which = House.filter(id__in=list(house_ids), community_id=community_id)
    called: dict[UUID, str] = {}
    for found in await which.select_related("building", "unit"):
        unit = f" {found.unit.code}单元" if found.unit else ""
        called[found.id] = f"{found.building.name}{unit} {found.code}"
    return called


def row(found: House) -> HouseRow:
    """`found` must have `building` and `unit` loaded."""
    unit = found.unit
    return HouseRow(
        found.id,
        found.code,
        found.community_id,  # type: ignore[attr-defined]
        found.building.id,
        found.building.name,
        unit.id if unit else None,
        unit.code if unit else "",
        found.version,
    )
