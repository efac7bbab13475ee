"""楼栋档案 (F22), and the tree below a community."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.organisations import find as organisations
from business_api.organisations.errors import NoSuchCommunity
from business_api.paging import Page, PageQuery
from business_api.places import buildings, deleting, find, names
from business_api.places.errors import CodeTaken, NoSuchBuilding, NoSuchZone, PlaceInUse
from business_api.places.models import Building, Zone
from business_api.places.picking_schemas import TreeOut
from business_api.places.schemas import (
    BuildingChangeIn,
    BuildingIn,
    BuildingOut,
    DeletedOut,
    IdsIn,
)
from business_api.places.tree import tree
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter()

Viewer = Annotated[Actor, needs(Permission.PLACE_VIEW)]
Manager = Annotated[Actor, needs(Permission.PLACE_MANAGE)]
SearchQuery = Annotated[Search, Query(description="part of a code or name")]


@router.get("/buildings", operation_id="listBuildings")
async def list_buildings(
    actor: Viewer,
    paged: PageQuery,
    *,
    search: SearchQuery = "",
    community_id: UUID | None = None,
    zone_id: UUID | None = None,
) -> Page[BuildingOut]:
    """Buildings by code."""
    rows, total = await buildings.listed(
        actor,
        community_id=community_id,
        zone_id=zone_id,
        search=search,
        offset=paged.offset,
        limit=paged.size,
    )
    called = await names.of_communities({row.community_id for row in rows})
    return paged.of([BuildingOut.of(row, called) for row in rows], total)


@router.get(
    "/communities/{community_id}/places",
    operation_id="placeTree",
    responses=documents(NoSuchCommunity),
)
async def place_tree(community_id: UUID, actor: Viewer) -> TreeOut:
    """Zones, buildings and units of a community, with how many houses each has."""
    return await tree(await organisations.community(actor, Permission.PLACE_VIEW, community_id))


@router.post(
    "/communities/{community_id}/buildings",
    operation_id="createBuilding",
    status_code=status.HTTP_201_CREATED,
    response_model=BuildingOut,
    responses=documents(NoSuchCommunity, NoSuchZone, CodeTaken, KeyReused, RequestInFlight),
)
async def create_building(
    community_id: UUID, body: BuildingIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Add a building to a community."""

    async def act() -> BuildingOut:
        community = await organisations.community(actor, Permission.PLACE_MANAGE, community_id)
        new = buildings.NewBuilding(
            body.code, body.name, body.has_units, await _zone(actor, body.zone_id)
        )
        row = await buildings.create_building(context, actor, community, new)
        return BuildingOut.of(row, {community.id: community.name})

    return await once(act)


@router.get(
    "/buildings/{building_id}", operation_id="getBuilding", responses=documents(NoSuchBuilding)
)
async def get_building(building_id: UUID, actor: Viewer, response: Response) -> BuildingOut:
    """One building, with its version as ETag."""
    row = await find.building(actor, Permission.PLACE_VIEW, building_id)
    return await _shown(row, response)


@router.patch(
    "/buildings/{building_id}",
    operation_id="changeBuilding",
    responses=documents(NoSuchBuilding, NoSuchZone, CodeTaken, PlaceInUse, Stale, IfMatchRequired),
)
async def change_building(
    building_id: UUID,
    body: BuildingChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> BuildingOut:
    """Edit a building. 单元启用 cannot be switched once units or houses belong to it."""
    row = await find.building(actor, Permission.PLACE_MANAGE, building_id)
    changes: dict[str, Any] = body.changes()
    if "zone_id" in changes:
        changes["zone"] = await _zone(actor, changes.pop("zone_id"))
    row = await buildings.change_building(context, actor, row, changes, version)
    return await _shown(row, response)


@router.delete(
    "/buildings/{building_id}",
    operation_id="deleteBuilding",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchBuilding, PlaceInUse),
)
async def delete_building(building_id: UUID, context: Ctx, actor: Manager) -> None:
    """Delete a building without units, houses and stations."""
    row = await find.building(actor, Permission.PLACE_MANAGE, building_id)
    await deleting.delete(context, actor, row)


@router.post(
    "/buildings/delete",
    operation_id="deleteBuildings",
    responses=documents(NoSuchBuilding, PlaceInUse),
)
async def delete_buildings(body: IdsIn, context: Ctx, actor: Manager) -> DeletedOut:
    """Delete those ticked in the list; those in use stay, and are named with the reason."""
    rows = await find.buildings(actor, Permission.PLACE_MANAGE, body.ids)
    kept = await deleting.delete_all(context, actor, rows)
    return DeletedOut.of(rows, kept)


async def _zone(actor: Actor, zone_id: UUID | None) -> Zone | None:
    return await find.zone(actor, Permission.PLACE_VIEW, zone_id) if zone_id else None


async def _shown(row: Building, response: Response) -> BuildingOut:
    tag(response, row.version)
    return BuildingOut.of(row, await names.of_communities({row.community_id}))
