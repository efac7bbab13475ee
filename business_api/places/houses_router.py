"""房屋档案 (F24)."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.imports import workbooks
from business_api.language import language_of
from business_api.organisations import find as organisations
from business_api.organisations.errors import NoSuchCommunity
from business_api.paging import Page, PageQuery
from business_api.places import deleting, find, generating, house_export, houses
from business_api.places.errors import (
    CodeTaken,
    NoSuchBuilding,
    NoSuchHouse,
    NoSuchUnit,
    PlaceInUse,
    TooManyHouses,
    UnitMismatch,
)
from business_api.places.house_schemas import (
    GeneratedHouseOut,
    GeneratedHousesOut,
    GenerateHousesIn,
    HouseChangeIn,
    HouseIn,
    HouseOut,
)
from business_api.places.houses import Wanted
from business_api.places.models import HouseClass, HouseState
from business_api.places.schemas import DeletedOut, IdsIn
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter()

Viewer = Annotated[Actor, needs(Permission.HOUSE_VIEW)]
Manager = Annotated[Actor, needs(Permission.HOUSE_MANAGE)]

_WORKBOOK: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {workbooks.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}


async def _wanted(
    *,
    community_id: UUID | None = None,
    zone_id: UUID | None = None,
    building_id: UUID | None = None,
    unit_id: UUID | None = None,
    house_class: HouseClass | None = None,
    state: HouseState | None = None,
    search: Annotated[Search, Query(description="part of a code, room number or building")] = "",
) -> Wanted:
    return Wanted(community_id, zone_id, building_id, unit_id, house_class, state, search)


@router.get("/houses", operation_id="listHouses")
async def list_houses(
    actor: Viewer, paged: PageQuery, wanted: Annotated[Wanted, Depends(_wanted)]
) -> Page[HouseOut]:
    """Houses by building, unit and code."""
    rows, total = await houses.listed(actor, wanted, offset=paged.offset, limit=paged.size)
    return paged.of([HouseOut.of(row) for row in rows], total)


@router.get(
    "/communities/{community_id}/houses.xlsx",
    operation_id="exportHouses",
    response_class=Response,
    responses={**documents(NoSuchCommunity), **_WORKBOOK},
)
async def export_houses(
    community_id: UUID,
    actor: Viewer,
    context: Ctx,
    request: Request,
    building_id: UUID | None = None,
) -> Response:
    """Houses as a workbook, which can be imported again as it is."""
    community = await organisations.community(actor, Permission.HOUSE_VIEW, community_id)
    file = await house_export.exported(context, actor, community, building_id, language_of(request))
    return workbooks.answer(file, f"{community.name}-房屋.xlsx")


@router.post(
    "/buildings/{building_id}/houses",
    operation_id="createHouse",
    status_code=status.HTTP_201_CREATED,
    response_model=HouseOut,
    responses=documents(
        NoSuchBuilding, NoSuchUnit, UnitMismatch, CodeTaken, KeyReused, RequestInFlight
    ),
)
async def create_house(
    building_id: UUID, body: HouseIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Add a house to a unit, or to a building without units."""

    async def act() -> HouseOut:
        building = await find.building(actor, Permission.HOUSE_MANAGE, building_id)
        unit = None
        if body.unit_id is not None:
            unit = await find.unit(actor, Permission.HOUSE_MANAGE, body.unit_id)
        new = houses.NewHouse(**body.model_dump(exclude={"unit_id"}))
        return HouseOut.of(await houses.create_house(context, actor, building, unit, new))

    return await once(act)


@router.post(
    "/buildings/{building_id}/houses/generate",
    operation_id="generateHouses",
    responses=documents(NoSuchBuilding, NoSuchUnit, UnitMismatch, TooManyHouses),
)
async def generate_houses(
    building_id: UUID, body: GenerateHousesIn, context: Ctx, actor: Manager
) -> GeneratedHousesOut:
    """Make the houses of a building by floor and room; those that are there stay as they are."""
    building = await find.building(actor, Permission.HOUSE_MANAGE, building_id)
    pattern = generating.Pattern(
        body.first_floor,
        body.last_floor,
        body.rooms,
        frozenset(body.skip_floors),
        body.house_class,
        body.area,
    )
    made = await generating.generate(
        context, actor, building, body.unit_ids, pattern, preview=body.preview
    )
    existing = sum(house.exists for house in made)
    return GeneratedHousesOut(
        created=len(made) - existing,
        existing=existing,
        houses=[GeneratedHouseOut.model_validate(house) for house in made],
    )


@router.get("/houses/{house_id}", operation_id="getHouse", responses=documents(NoSuchHouse))
async def get_house(house_id: UUID, actor: Viewer, response: Response) -> HouseOut:
    """One house, with its version as ETag."""
    row = await find.house(actor, Permission.HOUSE_VIEW, house_id)
    tag(response, row.version)
    return HouseOut.of(row)


@router.patch(
    "/houses/{house_id}",
    operation_id="changeHouse",
    responses=documents(NoSuchHouse, CodeTaken, Stale, IfMatchRequired),
)
async def change_house(
    house_id: UUID,
    body: HouseChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> HouseOut:
    """Edit a house."""
    row = await find.house(actor, Permission.HOUSE_MANAGE, house_id)
    row = await houses.change_house(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return HouseOut.of(row)


@router.delete(
    "/houses/{house_id}",
    operation_id="deleteHouse",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchHouse, PlaceInUse),
)
async def delete_house(house_id: UUID, context: Ctx, actor: Manager) -> None:
    """Delete a house in which nobody has ever lived."""
    row = await find.house(actor, Permission.HOUSE_MANAGE, house_id)
    await deleting.delete(context, actor, row)


@router.post(
    "/houses/delete", operation_id="deleteHouses", responses=documents(NoSuchHouse, PlaceInUse)
)
async def delete_houses(body: IdsIn, context: Ctx, actor: Manager) -> DeletedOut:
    """Delete those ticked in the list; those in use stay, and are named with the reason."""
    rows = await find.houses(actor, Permission.HOUSE_MANAGE, body.ids)
    kept = await deleting.delete_all(context, actor, rows)
    return DeletedOut.of(rows, kept)
