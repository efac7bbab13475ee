"""What places are called, for lists that hold only their ids.

For ids that come from rows the caller may see: nothing is checked here.
"""

from collections.abc import Collection
from uuid import UUID

from business_api.organisations.models import Community
from business_api.places.models import Building, House, Unit


async def of_communities(community_ids: Collection[UUID]) -> dict[UUID, str]:
    """Communities: 柏树园. One statement."""
    if not community_ids:
        return {}
    found = await Community.filter(id__in=list(community_ids))
    return {community.id: community.name for community in found}


async def of_places(place_ids: Collection[UUID]) -> dict[UUID, str]:
    """Communities, buildings, units: 柏树园, 1号楼, 1号楼 1单元. Three statements."""
    wanted = list(place_ids)
    if not wanted:
        return {}
    called = {row.id: row.name for row in await Community.filter(id__in=wanted)}
    called |= {row.id: row.name for row in await Building.filter(id__in=wanted)}
    for unit in await Unit.filter(id__in=wanted).select_related("building"):
        called[unit.id] = f"{unit.building.name} {unit.code}单元"
    return called


async def of_houses(house_ids: Collection[UUID]) -> dict[UUID, str]:
    """Houses: 1号楼 1单元 0101. One statement."""
    if not house_ids:
        return {}
    found = await House.filter(id__in=list(house_ids)).select_related("building", "unit")
    return {house.id: house_name(house) for house in found}


def house_name(house: House) -> str:
    """What a house is called; `building` and `unit` must be loaded."""
    unit = f" {house.unit.code}单元" if house.unit else ""
    return f"{house.building.name}{unit} {house.code}"


def way_home(house: House) -> tuple[UUID, ...]:
    """The places whose doors stand between the street and this house: 大门, 楼栋, 单元."""
    upper = (house.community_id, house.building_id)  # type: ignore[attr-defined]
    return (*upper, house.unit_id) if house.unit_id else upper  # type: ignore[attr-defined]
