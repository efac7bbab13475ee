"""Communities, buildings and units."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q

from business_api.places.errors import CodeTaken, NoSuchBuilding, NoSuchCommunity, NoSuchUnit
from business_api.places.models import Building, Community, Unit
from business_api.versions import Stale
from foundation.ids import new_id


@dataclass(frozen=True, slots=True)
class CommunityRow:
    """A community (小区)."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class BuildingRow:
    """A building (楼栋). `has_units`: its houses hang on units."""

    id: UUID
    code: str
    name: str
    has_units: bool
    version: int


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit (单元) of a building."""

    id: UUID
    building_id: UUID
    code: str


async def create_community(name: str, community_id: UUID | None = None) -> CommunityRow:
    """Make a community; the operator's business, so not in the API yet."""
    community = await Community.create(id=community_id or new_id(), name=name)
    return CommunityRow(community.id, community.name)


async def community(community_id: UUID) -> CommunityRow:
    """One community.

    Raises:
        NoSuchCommunity: there is none.
    """
    found = await Community.get_or_none(id=community_id)
    if found is None:
        raise NoSuchCommunity
    return CommunityRow(found.id, found.name)


async def communities(name: str | None = None) -> list[CommunityRow]:
    """The communities, by name; those called `name` when given. At most 100."""
    which = Q() if name is None else Q(name=name)
    return [
        CommunityRow(row.id, row.name)
        for row in await Community.filter(which).order_by("name", "id").limit(100)
    ]


async def create_building(
    community_id: UUID, code: str, name: str, *, has_units: bool
) -> BuildingRow:
    """Add a building.

    Raises:
        CodeTaken: the community has a building with this code.
    """
    try:
        building = await Building.create(
            community_id=community_id, code=code, name=name, has_units=has_units
        )
    except IntegrityError:
        raise CodeTaken(code=code) from None
    return _building(building)


async def building(community_id: UUID, building_id: UUID) -> BuildingRow:
    """One building of a community.

    Raises:
        NoSuchBuilding: there is none there.
    """
    found = await Building.get_or_none(id=building_id, community_id=community_id)
    if found is None:
        raise NoSuchBuilding
    return _building(found)


async def buildings(
    community_id: UUID, *, search: str = "", offset: int = 0, limit: int = 10
) -> tuple[list[BuildingRow], int]:
    """Buildings by code, and how many there are; `search` in code and name. Two statements."""
    which = Building.filter(community_id=community_id)
    if search:
        which = which.filter(Q(code__icontains=search) | Q(name__icontains=search))
    rows = await which.order_by("code").offset(offset).limit(limit)
    return [_building(row) for row in rows], await which.count()


async def rename_building(
    community_id: UUID, building_id: UUID, name: str, *, version: int
) -> BuildingRow:
    """Change a building's name, if it is still at `version`.

    Raises:
        NoSuchBuilding: there is none there.
        Stale: somebody changed it since.
    """
    changed = await Building.filter(
        id=building_id, community_id=community_id, version=version
    ).update(name=name, version=F("version") + 1)
    found = await building(community_id, building_id)
    if not changed:
        raise Stale
    return found


async def create_unit(community_id: UUID, building_id: UUID, code: str) -> UnitRow:
    """Add a unit to a building that has units.

    Raises:
        NoSuchBuilding: there is none there, or none with units.
        CodeTaken: the building has a unit with this code.
    """
    if not (await building(community_id, building_id)).has_units:
        raise NoSuchBuilding("this building has no units")
    try:
        made = await Unit.create(building_id=building_id, code=code)
    except IntegrityError:
        raise CodeTaken(code=code) from None
    return UnitRow(made.id, building_id, made.code)


async def unit(community_id: UUID, unit_id: UUID) -> UnitRow:
    """One unit of a community.

    Raises:
        NoSuchUnit: there is none there.
    """
    found = await Unit.get_or_none(id=unit_id, building__community_id=community_id)
    if found is None:
        raise NoSuchUnit
    return _unit(found)


async def units(
    community_id: UUID, building_id: UUID, *, offset: int = 0, limit: int = 10
) -> tuple[list[UnitRow], int]:
    """Units of a building by code, and how many there are. Two statements.

    Raises:
        NoSuchBuilding: there is none there.
    """
    await building(community_id, building_id)
    which = Unit.filter(building_id=building_id)
    rows = await which.order_by("code").offset(offset).limit(limit)
    return [_unit(row) for row in rows], await which.count()


async def names(community_id: UUID, place_ids: Collection[UUID]) -> dict[UUID, str]:
    """What places of a community are called: 柏树园, 1号楼, 1号楼 1单元. Three statements."""
    wanted = list(place_ids)
    called: dict[UUID, str] = {}
    if community_id in place_ids:
        called[community_id] = (await community(community_id)).name
    for row in await Building.filter(id__in=wanted, community_id=community_id):
        called[row.id] = row.name
    of_units = Unit.filter(id__in=wanted, building__community_id=community_id)
    for found in await of_units.select_related("building"):
        called[found.id] = f"{found.building.name} {found.code}单元"
    return called


def _building(row: Building) -> BuildingRow:
    return BuildingRow(row.id, row.code, row.name, row.has_units, row.version)


def _unit(row: Unit) -> UnitRow:
    return UnitRow(row.id, row.building_id, row.code)  # type: ignore[attr-defined]
