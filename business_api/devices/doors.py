"""Opening a door, and which doors one may open: for residents and for staff."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Request

from business_api.actors import AccountKind, Actor
from business_api.deps import Ctx, CurrentActor, client_address
from business_api.devices.schemas import DoorOut, OpenIn, OpenOut
from business_api.devices.stations import place_names
from business_api.devices.wording import told
from business_api.language import Language, language_of
from business_api.paging import Page, PageQuery
from business_api.problems import documents
from device_registry.devices import commands, queries
from device_registry.devices.admission import DoorNotFound, Opening, TooManyOpens
from device_registry.devices.commands import Outcome, RequestKeyReused
from device_registry.devices.queries import Door, Station
from device_registry.devices.states import Status
from foundation.errors import DomainError, Kind

router = APIRouter(tags=["doors"])

_APP = 64
"""Characters of the app's name and version that go into the audit."""


class NoSuchOpening(DomainError):
    """No attempt of the caller's has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-opening", "There is no such attempt"
    title_zh = "找不到该开门记录"


@router.get("/doors", operation_id="listDoors")
async def list_doors(context: Ctx, actor: CurrentActor, paged: PageQuery) -> Page[DoorOut]:
    """What the caller may open now, by name: once for each house that gives the right.

    Staff may open every active station of their community.
    """
    stale_after = context.settings.devices.stale_after
    if actor.kind is AccountKind.COMMUNITY_ADMIN:
        stations, total = await queries.stations(
            actor.community_id,
            context.clock(),
            status=Status.ACTIVE,
            page=paged.page,
            size=paged.size,
            stale_after=stale_after,
        )
        return paged.of(await _shown(actor, list(stations)), total)
    doors = await queries.doors_of(actor.account_id, context.clock(), stale_after=stale_after)
    page = doors[paged.offset :][: paged.size]
    return paged.of(await _shown(actor, list(page)), len(doors))


@router.post(
    "/doors/{door_id}/open",
    operation_id="openDoor",
    responses=documents(DoorNotFound, TooManyOpens, RequestKeyReused),
)
async def open_door(
    door_id: UUID,
    request: Request,
    context: Ctx,
    actor: CurrentActor,
    *,
    body: OpenIn | None = None,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=80,
            pattern=r"^[\x21-\x7e]+$",
            description="The same request under the same key is one attempt, however often sent.",
        ),
    ] = None,
) -> OpenOut:
    """Open a door. Answers when the station has, or when it is too late for an answer (7 s).

    The status is 200 for all four outcomes, `executed`, `refused`, `offline` and `unknown`:
    each is a true answer. Nothing is kept for a station that is away, and nothing repeated:
    press again, with a new key.
    """
    wish = body or OpenIn()
    outcome = await commands.open(
        context,
        Opening(
            device_id=door_id,
            by_kind="admin" if actor.kind is AccountKind.COMMUNITY_ADMIN else "resident",
            by_id=actor.account_id,
            community_id=actor.community_id,
            house_id=wish.house_id,
            door=wish.door,
            reason=wish.reason,
            request_key=key,
            address=client_address(request),
            app=_app(request),
            session=str(actor.session_id),
        ),
    )
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


async def _shown(actor: Actor, doors: list[Door | Station]) -> list[DoorOut]:
    called = await place_names(actor, [door.place_id for door in doors])
    return [
        DoorOut(
            id=door.device_id if isinstance(door, Door) else door.id,
            name=door.name,
            position=door.position,
            place_id=door.place_id,
            place_name=called.get(door.place_id, ""),
            house_id=door.house_id if isinstance(door, Door) else None,
            presence=door.presence,
            since=door.since,
            reason=door.reason,
        )
        for door in doors
    ]
