"""`GET /v1/live`: presence and openings as they happen, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

from business_api.accounts.tokens import Tokens
from business_api.actors import AccountKind, Actor
from business_api.deps import Ctx, CurrentActor, NotSignedIn
from business_api.devices import live_changes
from business_api.devices.live_changes import Change, Scope
from business_api.devices.live_feed import Live, TooManyStreams
from business_api.devices.live_watcher import Watcher
from business_api.devices.openings import own_houses
from business_api.problems import documents
from device_registry.devices import queries
from foundation import db
from foundation.runner import Context

router = APIRouter(tags=["live"])

PING_SECONDS: Final = 15.0
RETRY_MS: Final = 3000
_PINGS: Final = 4
"""Every so many it is asked anew what a resident may see."""


async def _watching(request: Request, context: Ctx, actor: CurrentActor) -> AsyncIterator[Watcher]:
    state = request.app.state
    if not hasattr(state, "live"):
        state.live = Live(context, state.stop)
    live: Live = state.live
    async with live.watching(actor, await _scope(context, actor)) as watcher:
        yield watcher


@router.get(
    "/live",
    operation_id="watchLive",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **documents(TooManyStreams),
    },
)
async def watch(
    request: Request,
    context: Ctx,
    watcher: Annotated[Watcher, Depends(_watching)],
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=200)] = None,
) -> StreamingResponse:
    """What happens in the community from now on; residents: at their doors, in their houses.

    - `ready`: no change from here on is missed. Read the lists now, then apply what comes.
    - `presence`: an array of `{station_id, status, presence, since, reason}`, the changed
      stations only.
    - `opening`: one record as in `GET /v1/openings`; one that was sent before replaces it.
      Its id, given back as `Last-Event-ID`, brings what was missed, an hour back at most.
    - `resync`: too much was missed; read the lists again.
    - `ping`: every 15 s.
    - `end`: `{"reason": …}`, `signed_out`, `resync` or `stopping`; then the stream ends.
      Streams end with the access token: come back with a new one.

    At most 5 streams an account.
    """
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    return StreamingResponse(
        _events(context, watcher, token, last),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(
    context: Context, watcher: Watcher, token: str, last: str | None
) -> AsyncIterator[bytes]:
    tokens = Tokens(context.keyring)
    yield format_sse_event(retry=RETRY_MS)
    async for event in _missed(context, watcher, last):
        yield event
    yield format_sse_event(event="ready", data_str="{}")
    loop = asyncio.get_running_loop()
    pings, due = 0, loop.time() + PING_SECONDS
    while watcher.end is None:
        change = await watcher.next(within=max(0.0, due - loop.time()))
        if change is not None:
            yield _event(change)
        if loop.time() < due:
            continue
        pings, due = pings + 1, loop.time() + PING_SECONDS
        try:
            tokens.read_access(token, context.clock())
            if pings % _PINGS == 0:
                watcher.scope = await _scope(context, watcher.actor)
        except NotSignedIn:
            watcher.let_go("signed_out")
        except db.AWAY as error:
            if not db.is_away(error):
                raise
            watcher.let_go("resync")
        else:
            yield format_sse_event(event="ping", data_str="{}")
    if watcher.end == "resync":
        yield _resync()
    yield format_sse_event(event="end", data_str=f'{{"reason":"{watcher.end}"}}')


async def _missed(context: Context, watcher: Watcher, last: str | None) -> AsyncIterator[bytes]:
    """Openings after the last one that this client has; three statements at most."""
    if not last:
        return
    community_id = watcher.actor.community_id
    records = await live_changes.newest(community_id, context.clock())
    missed = live_changes.since(records, last)
    if missed is None:
        yield _resync()
        return
    for change in await live_changes.openings(community_id, missed):
        if (mine := change.within(watcher.scope)) is not None:
            yield _event(mine)


def _event(change: Change) -> bytes:
    return format_sse_event(event=change.event, data_str=change.data, id=change.id)


def _resync() -> bytes:
    """With an empty id, so that a client does not ask again for what it cannot get."""
    return format_sse_event(event="resync", data_str="{}", id="")


async def _scope(context: Context, actor: Actor) -> Scope:
    """What the actor may see now. Three statements for a resident."""
    if actor.kind is AccountKind.COMMUNITY_ADMIN:
        return Scope()
    doors = await queries.doors_of(actor.account_id, context.clock())
    return Scope(frozenset(door.device_id for door in doors), await own_houses(actor))
