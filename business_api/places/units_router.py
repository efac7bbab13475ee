"""单元列表 (F23)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.places import deleting, find, units
from business_api.places.errors import (
    CodeTaken,
    NoSuchBuilding,
    NoSuchUnit,
    NoUnitsHere,
    PlaceInUse,
)
from business_api.places.schemas import (
    DeletedOut,
    IdsIn,
    UnitChangeIn,
    UnitIn,
    UnitOut,
)
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter()

Viewer = Annotated[Actor, needs(Permission.PLACE_VIEW)]
Manager = Annotated[Actor, needs(Permission.PLACE_MANAGE)]
SearchQuery = Annotated[Search, Query(description="part of a code or of the building's name")]


@router.get("/units", operation_id="listUnits")
async def list_units(
    actor: Viewer,
    paged: PageQuery,
    *,
    search: SearchQuery = "",
    community_id: UUID | None = None,
    building_id: UUID | None = None,
) -> Page[UnitOut]:
    """Units by building and code."""
    rows, total = await units.listed(
        actor,
        community_id=community_id,
        building_id=building_id,
        search=search,
        offset=paged.offset,
        limit=paged.size,
    )
    return paged.of([UnitOut.of(row) for row in rows], total)


@router.post(
    "/buildings/{building_id}/units",
    operation_id="createUnit",
    status_code=status.HTTP_201_CREATED,
    response_model=UnitOut,
    responses=documents(NoSuchBuilding, NoUnitsHere, CodeTaken, KeyReused, RequestInFlight),
)
async def create_unit(
    building_id: UUID, body: UnitIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Add a unit to a building that is divided into units."""

    async def act() -> UnitOut:
        building = await find.building(actor, Permission.PLACE_MANAGE, building_id)
        new = units.NewUnit(body.code, body.floors, body.lift)
        return UnitOut.of(await units.create_unit(context, actor, building, new))

    return await once(act)


@router.get("/units/{unit_id}", operation_id="getUnit", responses=documents(NoSuchUnit))
async def get_unit(unit_id: UUID, actor: Viewer, response: Response) -> UnitOut:
    """One unit, with its version as ETag."""
    row = await find.unit(actor, Permission.PLACE_VIEW, unit_id)
    tag(response, row.version)
    return UnitOut.of(row)


@router.patch(
    "/units/{unit_id}",
    operation_id="changeUnit",
    responses=documents(NoSuchUnit, CodeTaken, Stale, IfMatchRequired),
)
async def change_unit(
    unit_id: UUID,
    body: UnitChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> UnitOut:
    """Edit a unit."""
    row = await find.unit(actor, Permission.PLACE_MANAGE, unit_id)
    row = await units.change_unit(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return UnitOut.of(row)


@router.delete(
    "/units/{unit_id}",
    operation_id="deleteUnit",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchUnit, PlaceInUse),
)
async def delete_unit(unit_id: UUID, context: Ctx, actor: Manager) -> None:
    """Delete a unit without houses and stations."""
    row = await find.unit(actor, Permission.PLACE_MANAGE, unit_id)
    await deleting.delete(context, actor, row)


@router.post(
    "/units/delete", operation_id="deleteUnits", responses=documents(NoSuchUnit, PlaceInUse)
)
async def delete_units(body: IdsIn, context: Ctx, actor: Manager) -> DeletedOut:
    """Delete those ticked in the list; those in use stay, and are named with the reason."""
    rows = await find.units(actor, Permission.PLACE_MANAGE, body.ids)
    kept = await deleting.delete_all(context, actor, rows)
    return DeletedOut.of(rows, kept)
