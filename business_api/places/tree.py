"""A community down to its units, with counts of houses: what a picker shows."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from tortoise.functions import Count

from business_api.organisations.models import Community
from business_api.places.models import Building, House, Unit, Zone
from business_api.places.picking_schemas import TreeBuildingOut, TreeOut, TreeUnitOut, TreeZoneOut


async def tree(community: Community) -> TreeOut:
    """All of it. Four statements, however much there is."""
    here = {"community_id": community.id}
    counted = await (
        House.filter(**here)
        .annotate(number=Count("id"))
        .group_by("building_id", "unit_id")
        .values("building_id", "unit_id", "number")
    )
    in_unit = {row["unit_id"]: row["number"] for row in counted}
    in_building: defaultdict[UUID, int] = defaultdict(int)
    for row in counted:
        in_building[row["building_id"]] += row["number"]
    units: defaultdict[UUID, list[TreeUnitOut]] = defaultdict(list)
    for unit in await Unit.filter(**here).order_by("code"):
        shown = TreeUnitOut(id=unit.id, code=unit.code, houses=in_unit.get(unit.id, 0))
        units[unit.building_id].append(shown)  # type: ignore[attr-defined]
    buildings: defaultdict[UUID | None, list[TreeBuildingOut]] = defaultdict(list)
    for building in await Building.filter(**here).order_by("code"):
        buildings[building.zone_id].append(  # type: ignore[attr-defined]
            TreeBuildingOut(
                id=building.id,
                code=building.code,
                name=building.name,
                has_units=building.has_units,
                houses=in_building[building.id],
                units=units[building.id],
            )
        )
    zones = await Zone.filter(**here).order_by("code")
    return TreeOut(
        id=community.id,
        name=community.name,
        houses=sum(in_building.values()),
        zones=[*_zones(zones, buildings)],
    )


def _zones(
    zones: Sequence[Zone], buildings: dict[UUID | None, list[TreeBuildingOut]]
) -> list[TreeZoneOut]:
    shown = [
        TreeZoneOut(
            id=zone.id, code=zone.code, name=zone.name, buildings=buildings.get(zone.id, [])
        )
        for zone in zones
    ]
    if outside := buildings.get(None):
        shown.append(TreeZoneOut(id=None, code="", name="", buildings=outside))
    return shown
