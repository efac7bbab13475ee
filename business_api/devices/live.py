"""`GET /v1/live`: presence and openings as they happen, as server-sent events."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

from business_api import streams
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.deps import Authenticator, Ctx, needs
from business_api.devices import live_changes
from business_api.devices.live_changes import Change, Scope
from business_api.devices.live_feed import Live
from business_api.devices.live_watcher import Watcher
from business_api.devices.openings import homes
from business_api.organisations.sites import reached
from business_api.problems import documents
from business_api.streams import TooManyStreams
from device_registry.devices import doors
from foundation.errors import DomainError, Kind
from foundation.runner import Context

router = APIRouter(tags=["live"])

PING_SECONDS: Final = streams.PING_SECONDS
_PINGS: Final = 4
"""Every so many it is asked anew what the account may see, if nothing happened."""
MOST_COMMUNITIES: Final = 20
"""That one stream watches. Each costs two statements a second, however many watch it."""


class TooManyCommunities(DomainError):
    """The account has to do with more communities than one stream watches: name one."""

    kind, code, title = Kind.INVALID, "too-many-communities", "Choose one community to watch"
    title_zh = "小区过多，请选择一个小区查看实时动态"


async def _watching(
    request: Request,
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.DOOR_VIEW)],
    community_id: UUID | None = None,
) -> AsyncIterator[Watcher]:
    state = request.app.state
    if not hasattr(state, "live"):
        state.live = Live(context, state.stop)
    live: Live = state.live
    async with live.watching(actor, await _scope(context, actor, community_id)) as watcher:
        yield watcher


@router.get(
    "/live",
    operation_id="watchLive",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **documents(TooManyStreams, TooManyCommunities),
    },
)
async def watch(
    request: Request,
    context: Ctx,
    watcher: Annotated[Watcher, Depends(_watching)],
    community_id: UUID | None = None,
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=200)] = None,
) -> StreamingResponse:
    """What happens from now on in one's communities, or in the one that is named.

    Residents see what happens at their doors, and in the names of their houses.

    - `ready`: no change from here on is missed. Read the lists now, then apply what comes.
    - `presence`: an array of `{station_id, status, presence, since, reason}`, the changed
      stations only.
    - `opening`: one record as in `GET /v1/openings`; one that was sent before replaces it.
      Its id, given back as `Last-Event-ID`, brings what was missed, an hour back at most.
    - `resync`: too much was missed; read the lists again.
    - `ping`: every 15 s.
    - `end`: `{"reason": …}`, `signed_out`, `resync` or `stopping`; then the stream ends.
      Streams end with the access token: come back with a new one.

    At most 5 streams an account, and 20 communities a stream.
    """
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    authenticator: Authenticator = request.app.state.authenticator

    async def renewed() -> Scope:
        return await _scope(context, await authenticator.actor(token), community_id)

    return StreamingResponse(
        _events(context, watcher, token, last, renewed),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(
    context: Context,
    watcher: Watcher,
    token: str,
    last: str | None,
    renewed: Callable[[], Awaitable[Scope]],
) -> AsyncIterator[bytes]:
    async def renew(pings: int) -> None:
        if watcher.stale or pings % _PINGS == 0:
            await _renew(watcher, renewed)

    yield streams.beginning()
    async for event in _missed(context, watcher, last):
        yield event
    async for frame in streams.frames(
        context, watcher, token, _event, ping=PING_SECONDS, renew=renew
    ):
        yield frame


async def _renew(watcher: Watcher, renewed: Callable[[], Awaitable[Scope]]) -> None:
    """Look at what the account may see now; other communities are a matter of a new stream."""
    watcher.stale = False
    try:
        scope = await renewed()
    except TooManyCommunities:
        watcher.let_go("resync")
        return
    if scope.communities != watcher.scope.communities:
        watcher.let_go("resync")
    watcher.scope = scope


async def _missed(context: Context, watcher: Watcher, last: str | None) -> AsyncIterator[bytes]:
    """Openings after the last one that this client has; three statements at most."""
    if not last:
        return
    records = await live_changes.newest(watcher.scope.communities, context.clock())
    missed = live_changes.since(records, last)
    if missed is None:
        yield streams.resync()
        return
    for change in await live_changes.openings(missed):
        if (mine := change.within(watcher.scope)) is not None:
            yield _event(mine)


def _event(change: Change) -> bytes:
    return format_sse_event(event=change.event, data_str=change.data, id=change.id)


async def _scope(context: Context, actor: Actor, community_id: UUID | None) -> Scope:
    """What the actor may see now. Two statements for a resident, two for a company.

    Raises:
        TooManyCommunities: none is named, and there are more than one stream watches.
    """
    stations_of = await reached(actor, Permission.STATION_VIEW, community_id)
    openings_of = await reached(actor, Permission.OPENING_VIEW, community_id)
    if stations_of is None or openings_of is None:
        raise TooManyCommunities(most=MOST_COMMUNITIES)
    own = await doors.doors_of(actor.account_id, context.clock())
    houses = await homes(actor, Permission.OPENING_VIEW)
    communities = stations_of | openings_of
    if own or houses:
        neighbours = actor.reach(Permission.COMMUNITY_VIEW).ids.get(ScopeType.COMMUNITY)
        communities |= {door.community_id for door in own} | (neighbours or frozenset())
    if community_id is not None:
        communities &= {community_id}
    if len(communities) > MOST_COMMUNITIES:
        raise TooManyCommunities(most=MOST_COMMUNITIES)
    stations = frozenset(door.device_id for door in own)
    return Scope(communities, stations_of, openings_of, stations, houses)
