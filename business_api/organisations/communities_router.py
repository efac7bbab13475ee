"""小区, for whoever has a right in them; the names of all for residents (F14, F41)."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, CurrentActor, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.organisations import communities, find
from business_api.organisations.coordinates import Datum
from business_api.organisations.errors import (
    BadRegion,
    NameTaken,
    NoSuchCommunity,
    NoSuchCompany,
)
from business_api.organisations.geocoding import GeocoderFailed, NoGeocoder, geocoder
from business_api.organisations.models import Community
from business_api.organisations.schemas import (
    CommunityChangeIn,
    CommunityIn,
    CommunityOut,
    DirectoryCommunityOut,
    FoundPlaceOut,
    LocationOut,
    PlaceNames,
    RegionCode,
    community_out,
)
from business_api.paging import Page, PageQuery
from business_api.phones import BadPhone
from business_api.problems import documents
from business_api.schemas import Name, Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter(tags=["organisations"])

Viewer = Annotated[Actor, needs(Permission.COMMUNITY_VIEW)]
Manager = Annotated[Actor, needs(Permission.COMMUNITY_MANAGE)]
Shown = Annotated[Datum, Query(description="what coordinates in the answer are measured on")]
In = Annotated[RegionCode | None, Query(description="in this province, city or district")]


@router.get("/communities", operation_id="listCommunities")
async def list_communities(
    actor: Viewer,
    paged: PageQuery,
    *,
    search: Annotated[Search, Query(description="part of a name, address or phone")] = "",
    region_code: In = None,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    datum: Shown = Datum.WGS84,
) -> Page[CommunityOut]:
    """Communities by name."""
    rows, total = await communities.listed(
        actor,
        operator_id=operator_id,
        company_id=company_id,
        region_code=region_code or "",
        search=search,
        offset=paged.offset,
        limit=paged.size,
    )
    return paged.of(await _shown(rows, datum), total)


@router.post(
    "/companies/{company_id}/communities",
    operation_id="createCommunity",
    status_code=status.HTTP_201_CREATED,
    response_model=CommunityOut,
    responses=documents(NoSuchCompany, NameTaken, BadRegion, BadPhone, KeyReused, RequestInFlight),
)
async def create_community(
    company_id: UUID,
    body: CommunityIn,
    context: Ctx,
    actor: Manager,
    *,
    once: OnceOnly,
    datum: Shown = Datum.WGS84,
) -> Response:
    """Add a community to a company."""

    async def act() -> CommunityOut:
        company = await find.company(actor, Permission.COMMUNITY_MANAGE, company_id)
        new = communities.NewCommunity(
            point=body.location.point() if body.location else None,
            **body.model_dump(exclude={"location"}),
        )
        row = await communities.create_community(context, actor, company, new)
        return community_out(row, company.name, datum)

    return await once(act)


@router.get(
    "/communities/{community_id}",
    operation_id="getCommunity",
    responses=documents(NoSuchCommunity),
)
async def get_community(
    community_id: UUID, actor: Viewer, response: Response, datum: Shown = Datum.WGS84
) -> CommunityOut:
    """One community, with its version as ETag."""
    row = await find.community(actor, Permission.COMMUNITY_VIEW, community_id)
    tag(response, row.version)
    return (await _shown([row], datum))[0]


@router.patch(
    "/communities/{community_id}",
    operation_id="changeCommunity",
    responses=documents(NoSuchCommunity, NameTaken, BadRegion, BadPhone, Stale, IfMatchRequired),
)
async def change_community(
    community_id: UUID,
    body: CommunityChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
    datum: Shown = Datum.WGS84,
) -> CommunityOut:
    """Edit a community."""
    row = await find.community(actor, Permission.COMMUNITY_MANAGE, community_id)
    row = await communities.change_community(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return (await _shown([row], datum))[0]


@router.get("/directory/communities", operation_id="findCommunities")
async def find_communities(
    _: CurrentActor,
    paged: PageQuery,
    search: Annotated[Search, Query(description="part of a name or address")] = "",
    region_code: In = None,
) -> Page[DirectoryCommunityOut]:
    """Every community by name: a resident picks its own before it has any right there (F41)."""
    rows, total = await communities.directory(
        region_code=region_code or "", search=search, offset=paged.offset, limit=paged.size
    )
    found = [
        DirectoryCommunityOut(
            id=row.id,
            name=row.name,
            address=row.address,
            region_code=row.region_code,
            **PlaceNames.of(row.region_code),
        )
        for row in rows
    ]
    return paged.of(found, total)


@router.get("/geocode", operation_id="geocode", responses=documents(NoGeocoder, GeocoderFailed))
async def geocode(
    context: Ctx,
    _: Manager,
    search: Annotated[Name, Query(description="the name of a community, or an address")],
    region_code: In = None,
    datum: Shown = Datum.WGS84,
) -> list[FoundPlaceOut]:
    """查找: where a community lies, as a map service knows it; ten at most, the best first."""
    found = await geocoder(context).find(search, region_code or "")
    return [
        FoundPlaceOut(
            name=place.name,
            address=place.address,
            region_code=place.region_code,
            location=LocationOut.of(place.point, datum),
        )
        for place in found
    ]


async def _shown(rows: Sequence[Community], datum: Datum) -> list[CommunityOut]:
    called = await communities.companies_of(rows)
    return [community_out(row, called.get(row.company_id, ""), datum) for row in rows]
