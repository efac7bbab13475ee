"""Buildings, units and houses to choose from, for somebody without rights there yet (F41).

Open to whoever is signed in: what stands on doors and bells, and nothing of who lives
behind them or whether anybody does.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from tortoise.expressions import Q

from business_api.deps import CurrentActor
from business_api.paging import Page, PageQuery
from business_api.places.models import Building, House, Unit
from business_api.places.picking_schemas import (
    DirectoryBuildingOut,
    DirectoryHouseOut,
    DirectoryUnitOut,
)
from business_api.schemas import Search

router = APIRouter(prefix="/directory/communities/{community_id}")

SearchQuery = Annotated[Search, Query(description="part of a code or name")]


@router.get("/buildings", operation_id="findBuildings")
async def find_buildings(
    community_id: UUID, _: CurrentActor, paged: PageQuery, search: SearchQuery = ""
) -> Page[DirectoryBuildingOut]:
    """Buildings by code; none of a community that there is not."""
    named = Q(code__icontains=search) | Q(name__icontains=search) if search else Q()
    which = Building.filter(named, community_id=community_id)
    rows = which.order_by("code").offset(paged.offset).limit(paged.size).select_related("zone")
    items = [
        DirectoryBuildingOut(
            id=row.id,
            code=row.code,
            name=row.name,
            has_units=row.has_units,
            zone_name=row.zone.name if row.zone else "",
        )
        for row in await rows
    ]
    return paged.of(items, await which.count())


@router.get("/units", operation_id="findUnits")
async def find_units(
    community_id: UUID, _: CurrentActor, paged: PageQuery, building_id: UUID
) -> Page[DirectoryUnitOut]:
    """Units of a building by code."""
    which = Unit.filter(community_id=community_id, building_id=building_id)
    rows = await which.order_by("code").offset(paged.offset).limit(paged.size)
    return paged.of([DirectoryUnitOut.model_validate(row) for row in rows], await which.count())


@router.get("/houses", operation_id="findHouses")
async def find_houses(
    community_id: UUID,
    _: CurrentActor,
    paged: PageQuery,
    *,
    building_id: UUID,
    unit_id: UUID | None = None,
    search: SearchQuery = "",
) -> Page[DirectoryHouseOut]:
    """Houses of a building, or of one of its units, by code."""
    asked = {"building_id": building_id} | ({"unit_id": unit_id} if unit_id else {})
    named = Q(code__icontains=search) | Q(room_no__icontains=search) if search else Q()
    which = House.filter(named, community_id=community_id, **asked)
    rows = await which.order_by("code", "id").offset(paged.offset).limit(paged.size)
    return paged.of([DirectoryHouseOut.model_validate(row) for row in rows], await which.count())
