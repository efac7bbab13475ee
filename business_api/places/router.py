"""The place tree: one level at a time. Staff only, but for the name of the community."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.deps import AdminActor, CurrentActor
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.places import buildings, houses
from business_api.places.errors import (
    CodeTaken,
    NoSuchBuilding,
    NoSuchHouse,
    NoSuchUnit,
    UnitMismatch,
)
from business_api.places.schemas import (
    BuildingIn,
    BuildingNameIn,
    BuildingOut,
    CommunityOut,
    HouseCodeIn,
    HouseIn,
    HouseOut,
    UnitIn,
    UnitOut,
)
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter(tags=["places"])

SearchQuery = Annotated[Search, Query(description="part of a code or name")]


@router.get("/communities/current", operation_id="currentCommunity")
async def current_community(actor: CurrentActor) -> CommunityOut:
    """The community of the signed-in account."""
    return CommunityOut.model_validate(await buildings.community(actor.community_id))


@router.get("/buildings", operation_id="listBuildings")
async def list_buildings(
    actor: AdminActor, paged: PageQuery, search: SearchQuery = ""
) -> Page[BuildingOut]:
    """Buildings by code."""
    rows, total = await buildings.buildings(
        actor.community_id, search=search, offset=paged.offset, limit=paged.size
    )
    return paged.of([BuildingOut.model_validate(row) for row in rows], total)


@router.post(
    "/buildings",
    operation_id="createBuilding",
    status_code=status.HTTP_201_CREATED,
    response_model=BuildingOut,
    responses=documents(CodeTaken, KeyReused, RequestInFlight),
)
async def create_building(body: BuildingIn, actor: AdminActor, once: OnceOnly) -> Response:
    """Add a building."""

    async def act() -> BuildingOut:
        row = await buildings.create_building(
            actor.community_id, body.code, body.name, has_units=body.has_units
        )
        return BuildingOut.model_validate(row)

    return await once(act)


@router.get(
    "/buildings/{building_id}", operation_id="getBuilding", responses=documents(NoSuchBuilding)
)
async def get_building(building_id: UUID, actor: AdminActor, response: Response) -> BuildingOut:
    """One building, with its version as ETag."""
    row = await buildings.building(actor.community_id, building_id)
    tag(response, row.version)
    return BuildingOut.model_validate(row)


@router.patch(
    "/buildings/{building_id}",
    operation_id="renameBuilding",
    responses=documents(NoSuchBuilding, Stale, IfMatchRequired),
)
async def rename_building(
    building_id: UUID,
    body: BuildingNameIn,
    actor: AdminActor,
    version: IfMatch,
    response: Response,
) -> BuildingOut:
    """Give a building another name."""
    row = await buildings.rename_building(
        actor.community_id, building_id, body.name, version=version
    )
    tag(response, row.version)
    return BuildingOut.model_validate(row)


@router.get(
    "/buildings/{building_id}/units",
    operation_id="listUnits",
    responses=documents(NoSuchBuilding),
)
async def list_units(building_id: UUID, actor: AdminActor, paged: PageQuery) -> Page[UnitOut]:
    """Units of a building by code."""
    rows, total = await buildings.units(
        actor.community_id, building_id, offset=paged.offset, limit=paged.size
    )
    return paged.of([UnitOut.model_validate(row) for row in rows], total)


@router.post(
    "/buildings/{building_id}/units",
    operation_id="createUnit",
    status_code=status.HTTP_201_CREATED,
    response_model=UnitOut,
    responses=documents(NoSuchBuilding, CodeTaken, KeyReused, RequestInFlight),
)
async def create_unit(
    building_id: UUID, body: UnitIn, actor: AdminActor, once: OnceOnly
) -> Response:
    """Add a unit to a building that has units."""

    async def act() -> UnitOut:
        row = await buildings.create_unit(actor.community_id, building_id, body.code)
        return UnitOut.model_validate(row)

    return await once(act)


@router.get("/units/{unit_id}", operation_id="getUnit", responses=documents(NoSuchUnit))
async def get_unit(unit_id: UUID, actor: AdminActor) -> UnitOut:
    """One unit."""
    return UnitOut.model_validate(await buildings.unit(actor.community_id, unit_id))


@router.get("/houses", operation_id="listHouses")
async def list_houses(
    actor: AdminActor,
    paged: PageQuery,
    search: SearchQuery = "",
    building_id: UUID | None = None,
    unit_id: UUID | None = None,
) -> Page[HouseOut]:
    """Houses by building, unit and code."""
    rows, total = await houses.houses(
        actor.community_id,
        search=search,
        building_id=building_id,
        unit_id=unit_id,
        offset=paged.offset,
        limit=paged.size,
    )
    return paged.of([HouseOut.model_validate(row) for row in rows], total)


@router.post(
    "/houses",
    operation_id="createHouse",
    status_code=status.HTTP_201_CREATED,
    response_model=HouseOut,
    responses=documents(NoSuchBuilding, UnitMismatch, CodeTaken, KeyReused, RequestInFlight),
)
async def create_house(body: HouseIn, actor: AdminActor, once: OnceOnly) -> Response:
    """Add a house to a unit, or to a building without units."""

    async def act() -> HouseOut:
        row = await houses.create_house(
            actor.community_id, body.building_id, body.unit_id, body.code
        )
        return HouseOut.model_validate(row)

    return await once(act)


@router.get("/houses/{house_id}", operation_id="getHouse", responses=documents(NoSuchHouse))
async def get_house(house_id: UUID, actor: AdminActor, response: Response) -> HouseOut:
    """One house, with its version as ETag."""
    row = await houses.house(actor.community_id, house_id)
    tag(response, row.version)
    return HouseOut.model_validate(row)


@router.patch(
    "/houses/{house_id}",
    operation_id="renameHouse",
    responses=documents(NoSuchHouse, Stale, CodeTaken, IfMatchRequired),
)
async def rename_house(
    house_id: UUID, body: HouseCodeIn, actor: AdminActor, version: IfMatch, response: Response
) -> HouseOut:
    """Give a house another code."""
    row = await houses.rename_house(actor.community_id, house_id, body.code, version=version)
    tag(response, row.version)
    return HouseOut.model_validate(row)
