"""Opening a door, and which doors one may open: for residents and for staff."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from business_api.actors import Actor, NotAllowed
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, CurrentActor, client_address, needs
from business_api.devices.schemas import DoorOut, OpenIn, OpenOut
from business_api.devices.wording import told
from business_api.idempotency import RequestKey
from business_api.language import Language, language_of
from business_api.organisations.sites import reached, site_of
from business_api.paging import Page, PageQuery
from business_api.places import names
from business_api.problems import documents
from business_api.schemas import Search
from device_registry.devices import commands, doors, queries
from device_registry.devices.admission import DoorNotFound, Opening, TooManyOpens
from device_registry.devices.commands import Outcome, RequestKeyReused
from device_registry.devices.doors import Door
from foundation.errors import DomainError, Kind
from foundation.runner import Context

router = APIRouter(tags=["doors"])

_APP = 64
"""Characters of the app's name and version that go into the audit."""


class NoSuchOpening(DomainError):
    """No attempt of the caller's has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-opening", "There is no such attempt"
    title_zh = "找不到该开门记录"


@router.get("/doors", operation_id="listDoors")
async def list_doors(
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.DOOR_VIEW)],
    paged: PageQuery,
    *,
    community_id: UUID | None = None,
    search: Annotated[Search, Query(description="part of a name")] = "",
) -> Page[DoorOut]:
    """What the caller may open now, by name: once for each house that gives the right.

    Staff may open every active station of their communities, in nobody's name.
    """
    found, total = await doors.doors(
        actor.account_id,
        await reached(actor, Permission.DOOR_OPEN),
        context.clock(),
        communities=None if community_id is None else (community_id,),
        search=search,
        page=paged.page,
        size=paged.size,
        stale_after=context.settings.devices.stale_after,
    )
    return paged.of(await _shown(found), total)


@router.post(
    "/doors/{door_id}/open",
    operation_id="openDoor",
    responses=documents(DoorNotFound, NotAllowed, TooManyOpens, RequestKeyReused),
)
async def open_door(
    door_id: UUID,
    request: Request,
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.DOOR_OPEN)],
    *,
    key: RequestKey,
    body: OpenIn | None = None,
) -> OpenOut:
    """Open a door. Answers when the station has, or when it is too late for an answer (7 s).

    The status is 200 for all four outcomes, `executed`, `refused`, `offline` and `unknown`:
    each is a true answer. Nothing is kept for a station that is away, and nothing repeated:
    press again, with a new key.
    """
    wish = body or OpenIn()
    opening = Opening(
        device_id=door_id,
        by_id=actor.account_id,
        staff_of=await reached(actor, Permission.DOOR_OPEN),
        house_id=wish.house_id,
        door=wish.door,
        reason=wish.reason,
        request_key=key,
        address=client_address(request),
        app=_app(request),
        session=str(actor.session_id),
    )
    try:
        outcome = await commands.open(context, opening)
    except DoorNotFound:
        await _forbid(context, actor, door_id)
        raise DoorNotFound from None
    return _told(outcome, language_of(request))


@router.get(
    "/open-commands/{command_id}",
    operation_id="getOpenCommand",
    responses=documents(NoSuchOpening),
)
async def open_command(
    command_id: Annotated[str, Path(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")],
    request: Request,
    actor: CurrentActor,
) -> OpenOut:
    """What became of one's own attempt; what was `unknown` may be known by now."""
    outcome = await commands.outcome(command_id)
    if outcome is None or outcome.by_id != actor.account_id:
        raise NoSuchOpening(command_id)
    return _told(outcome, language_of(request))


async def _forbid(context: Context, actor: Actor, door_id: UUID) -> None:
    """Tell staff that they may see this door, and not open it.

    Raises:
        NotAllowed: so it is.
        DoorNotFound: they may not know of it.
    """
    station = await queries.station(door_id, context.clock())
    site = await site_of(station.community_id) if station else None
    if site is not None:
        actor.require(Permission.DOOR_OPEN, site, DoorNotFound)


def _told(outcome: Outcome, language: Language) -> OpenOut:
    return OpenOut(
        command_id=outcome.id,
        door_id=outcome.device_id,
        outcome=outcome.state,
        code=outcome.code,
        message=told(outcome.state, outcome.code, language),
        at=outcome.at,
        settled_at=outcome.settled_at,
        pulsed_ms=outcome.pulsed_ms,
    )


def _app(request: Request) -> str:
    """What the caller says it runs on: for the audit, believed by nobody."""
    headers = request.headers
    named = headers.get("x-app-version") or headers.get("user-agent") or ""
    return "".join(letter for letter in named[: 4 * _APP] if letter.isprintable())[:_APP]


async def _shown(found: list[Door]) -> list[DoorOut]:
    called = await names.of_places({door.place_id for door in found})
    return [
        DoorOut(
            id=door.device_id,
            community_id=door.community_id,
            name=door.name,
            position=door.position,
            place_id=door.place_id,
            place_name=called.get(door.place_id, ""),
            house_id=door.house_id,
            presence=door.presence,
            since=door.since,
            reason=door.reason,
        )
        for door in found
    ]
