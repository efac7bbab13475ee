"""区 (C10)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.organisations import find as organisations
from business_api.organisations.errors import NoSuchCommunity
from business_api.paging import Page, PageQuery
from business_api.places import deleting, find, names, zones
from business_api.places.errors import CodeTaken, NoSuchZone, PlaceInUse
from business_api.places.schemas import ZoneChangeIn, ZoneIn, ZoneOut
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter()

Viewer = Annotated[Actor, needs(Permission.PLACE_VIEW)]
Manager = Annotated[Actor, needs(Permission.PLACE_MANAGE)]
SearchQuery = Annotated[Search, Query(description="part of a code or name")]


@router.get("/zones", operation_id="listZones")
async def list_zones(
    actor: Viewer, paged: PageQuery, search: SearchQuery = "", community_id: UUID | None = None
) -> Page[ZoneOut]:
    """Zones by code."""
    rows, total = await zones.listed(
        actor, community_id=community_id, search=search, offset=paged.offset, limit=paged.size
    )
    called = await names.of_communities({row.community_id for row in rows})
    return paged.of([ZoneOut.of(row, called) for row in rows], total)


@router.post(
    "/communities/{community_id}/zones",
    operation_id="createZone",
    status_code=status.HTTP_201_CREATED,
    response_model=ZoneOut,
    responses=documents(NoSuchCommunity, CodeTaken, KeyReused, RequestInFlight),
)
async def create_zone(
    community_id: UUID, body: ZoneIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Add a zone to a community."""

    async def act() -> ZoneOut:
        community = await organisations.community(actor, Permission.PLACE_MANAGE, community_id)
        new = zones.NewZone(body.code, body.name)
        row = await zones.create_zone(context, actor, community, new)
        return ZoneOut.of(row, {community.id: community.name})

    return await once(act)


@router.get("/zones/{zone_id}", operation_id="getZone", responses=documents(NoSuchZone))
async def get_zone(zone_id: UUID, actor: Viewer, response: Response) -> ZoneOut:
    """One zone, with its version as ETag."""
    row = await find.zone(actor, Permission.PLACE_VIEW, zone_id)
    tag(response, row.version)
    return ZoneOut.of(row, await names.of_communities({row.community_id}))


@router.patch(
    "/zones/{zone_id}",
    operation_id="changeZone",
    responses=documents(NoSuchZone, CodeTaken, Stale, IfMatchRequired),
)
async def change_zone(
    zone_id: UUID,
    body: ZoneChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> ZoneOut:
    """Edit a zone."""
    row = await find.zone(actor, Permission.PLACE_MANAGE, zone_id)
    row = await zones.change_zone(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return ZoneOut.of(row, await names.of_communities({row.community_id}))


@router.delete(
    "/zones/{zone_id}",
    operation_id="deleteZone",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchZone, PlaceInUse),
)
async def delete_zone(zone_id: UUID, context: Ctx, actor: Manager) -> None:
    """Delete a zone without buildings."""
    row = await find.zone(actor, Permission.PLACE_MANAGE, zone_id)
    await deleting.delete(context, actor, row)
