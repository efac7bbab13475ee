"""`/v1/residents`, `/v1/occupancies`: who lives where, and changes to it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, CurrentActor, needs
from business_api.organisations import find as find_organisation
from business_api.organisations.errors import NoSuchCommunity
from business_api.paging import Page, PageQuery
from business_api.people import find as find_person
from business_api.people import reveals, sealing
from business_api.people.errors import (
    BadIdNumber,
    NoSuchPerson,
    NothingToReveal,
    TooManyReveals,
)
from business_api.people.schemas import RevealOut, person_out
from business_api.phones import BadPhone
from business_api.problems import documents
from business_api.residents import changing, erasing, find, listing, moves, searching, showing
from business_api.residents.errors import (
    BadValidity,
    NoSuchOccupancy,
    OccupancyEnded,
    StillLivesHere,
)
from business_api.residents.models import ResidentType
from business_api.residents.schemas import (
    FoundOut,
    LandlineRevealIn,
    MyHouseOut,
    OccupancyChangeIn,
    ResidentOut,
    SearchIn,
)
from business_api.residents.times import Standing
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter(tags=["residents"])

Viewer = Annotated[Actor, needs(Permission.RESIDENT_VIEW)]
Manager = Annotated[Actor, needs(Permission.RESIDENT_MANAGE)]


@router.get("/me/houses", operation_id="listMyHouses")
async def list_my_houses(actor: CurrentActor, paged: PageQuery) -> Page[MyHouseOut]:
    """Where the signed-in account lives, or is to live, in all communities."""
    homes, communities, total = await listing.homes_of(actor, offset=paged.offset, limit=paged.size)
    shown = [
        showing.my_house(actor, home, communities.get(home.community_id, "")) for home in homes
    ]
    return paged.of(shown, total)


@router.get("/residents", operation_id="listResidents")
async def list_residents(
    actor: Viewer,
    context: Ctx,
    paged: PageQuery,
    *,
    community_id: UUID | None = None,
    building_id: UUID | None = None,
    house_id: UUID | None = None,
    type_: Annotated[ResidentType | None, Query(alias="type")] = None,
    state: Annotated[
        Standing | None, Query(description="without: who lives there, or is to")
    ] = None,
    search: Annotated[Search, Query(description="part of a name, or of a house's code")] = "",
) -> Page[ResidentOut]:
    """By house and call order. Staff see their communities; a household sees itself."""
    wanted = listing.Wanted(
        community_id=community_id,
        building_id=building_id,
        house_id=house_id,
        type=type_,
        standing=state,
        search=search,
    )
    homes, total = await listing.residents(actor, wanted, offset=paged.offset, limit=paged.size)
    return paged.of(await showing.residents(context, actor, homes), total)


@router.post(
    "/residents/search",
    operation_id="searchResidents",
    responses=documents(NoSuchCommunity, BadPhone, BadIdNumber),
)
async def search_residents(
    body: SearchIn, actor: Manager, context: Ctx, paged: PageQuery
) -> Page[FoundOut]:
    """Whose phone or document it is, in one community. Exact numbers only."""
    community = await find_organisation.community(
        actor, Permission.RESIDENT_MANAGE, body.community_id
    )
    which = (
        searching.by_phone(context, community.id, body.phone)
        if body.phone is not None
        else searching.by_document(context, community.id, body.id_type, body.id_number)
    )
    people = await which.order_by("created_at", "id").offset(paged.offset).limit(paged.size)
    homes = await listing.homes_of_people(people, searching.MOST_HOMES)
    found = [
        FoundOut(
            person=await person_out(context, person),
            homes=await showing.residents(context, actor, homes[person.id]),
        )
        for person in people
    ]
    return paged.of(found, await which.count())


@router.get(
    "/occupancies/{occupancy_id}",
    operation_id="getOccupancy",
    responses=documents(NoSuchOccupancy),
)
async def get_occupancy(
    occupancy_id: UUID, actor: Viewer, context: Ctx, response: Response
) -> ResidentOut:
    """One person in one house. The ETag is for an edit."""
    home = await find.occupancy(actor, Permission.RESIDENT_VIEW, occupancy_id)
    tag(response, home.version)
    return await showing.resident(context, actor, home)


@router.patch(
    "/occupancies/{occupancy_id}",
    operation_id="changeOccupancy",
    responses=documents(
        NoSuchOccupancy, OccupancyEnded, BadValidity, BadPhone, Stale, IfMatchRequired
    ),
)
async def change_occupancy(
    occupancy_id: UUID,
    body: OccupancyChangeIn,
    *,
    actor: Manager,
    context: Ctx,
    version: IfMatch,
    response: Response,
) -> ResidentOut:
    """Other times, another landline, another place in the order of calls. The doors follow."""
    home = await find.occupancy(actor, Permission.RESIDENT_MANAGE, occupancy_id)
    await changing.change(context, actor, home, version=version, changes=body.changes())
    tag(response, home.version)
    return await showing.resident(context, actor, home)


@router.post(
    "/occupancies/{occupancy_id}/end",
    operation_id="endOccupancy",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchOccupancy),
)
async def end_occupancy(
    occupancy_id: UUID,
    actor: Annotated[Actor, needs(Permission.RESIDENT_END)],
    context: Ctx,
) -> None:
    """Move one person out, at once: it opens nothing any more.

    Staff end anybody's; an owner those of his house who are not owners. A second time
    nothing happens.
    """
    home, reason = await find.to_end(actor, occupancy_id)
    await moves.end(context, actor, home, reason)


@router.post(
    "/occupancies/{occupancy_id}/reveal",
    operation_id="revealLandline",
    responses=documents(NoSuchOccupancy, NothingToReveal, TooManyReveals),
)
async def reveal_landline(
    occupancy_id: UUID,
    body: LandlineRevealIn,
    actor: Annotated[Actor, needs(Permission.RESIDENT_REVEAL)],
    context: Ctx,
    response: Response,
) -> RevealOut:
    """The landline in clear. Who looked, and why, is on record for ever."""
    home = await find.occupancy(actor, Permission.RESIDENT_REVEAL, occupancy_id)
    sealed = home.landline_sealed
    value = await reveals.reveal(
        context,
        actor,
        f"occupancy/{home.id}",
        home.site,
        field="landline",
        reason=body.reason,
        clear=sealing.unseal(context, home.person, f"landline/{home.id}", sealed),
    )
    response.headers["Cache-Control"] = "no-store"
    return RevealOut(value=value)


@router.post(
    "/persons/{person_id}/erase",
    operation_id="erasePerson",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchPerson, StillLivesHere),
)
async def erase_person(
    person_id: UUID,
    actor: Annotated[Actor, needs(Permission.RESIDENT_ERASE)],
    context: Ctx,
) -> None:
    """Destroy what is known of somebody who has gone. It cannot be undone."""
    person = await find_person.person(actor, Permission.RESIDENT_ERASE, person_id)
    await erasing.erase(context, actor, person)
