"""`GET /v1/me/messages/live`: what one is told, as it is told, as server-sent events."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

from business_api import streams
from business_api.actors import Actor
from business_api.deps import Ctx, CurrentActor
from business_api.language import Language, language_of
from business_api.messages.models import Message
from business_api.messages.reading import shown
from business_api.messages.routing import LIVE, last_round
from business_api.messages.templates import TEMPLATES
from business_api.problems import documents
from business_api.streams import Stream, Streams, TooManyStreams
from foundation.runner import Context

router = APIRouter(tags=["messages"])

PING_SECONDS: Final = streams.PING_SECONDS
REPLAYED: Final = 200
"""Messages that a stream catches up with; who missed more reads the list again."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message, and the id of its event: null, unless it is the last one of its round.

    Who comes back with the id of a round gets what was told in later ones; when a stream was
    cut inside a round, the whole round again.
    """

    message: Message
    id: int | None


class Open(Stream[Told]):
    """One open app."""

    def __init__(self, actor: Actor) -> None:
        super().__init__(actor)
        self.seen = 0
        """The last round it has."""


class OpenApps(Streams[Open]):
    """The open apps of this process."""

    topics = (LIVE,)

    def __init__(self, context: Context, stop: asyncio.Event) -> None:
        super().__init__(context, stop)
        self._last: int | None = None
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def watching(self, actor: Actor) -> AsyncIterator[Open]:
        """Watch until the block ends; nothing told after its beginning is missed.

        Raises:
            TooManyStreams: for this account, or altogether.
        """
        self.room_for(actor)
        async with self.opened(Open(actor)) as stream:
            if len(self._watchers) == 1:
                self._last = None  # nobody has looked since the one before went
            async with self._looking:
                if self._last is None:
                    self._last = await last_round()
            yield stream

    async def look(self) -> None:
        """What the accounts with an open app were told since the last look. Two statements."""
        async with self._looking:
            if self._last is None:
                return
            now = await last_round()
            if now != self._last:
                await self._hand_out(self._last, now)
                self._last = now

    async def _hand_out(self, after: int, until: int) -> None:
        accounts = {stream.actor.account_id for stream in self._watchers}
        news: defaultdict[UUID, list[Message]] = defaultdict(list)
        for row in await Message.filter(
            account_id__in=list(accounts), round__gt=after, round__lte=until
        ).order_by("round", "id"):
            news[row.account_id].append(row)
        for stream in self._watchers:
            for told in told_of(news.get(stream.actor.account_id, [])):
                stream.put(told)


def told_of(messages: list[Message]) -> list[Told]:
    """Events of one account, for messages in the order of their rounds."""
    shown_ = [message for message in messages if message.kind in TEMPLATES]
    return [
        Told(one, None if next_ is not None and next_.round == one.round else one.round)
        for one, next_ in pairwise([*shown_, None])
        if one is not None
    ]


async def _watching(request: Request, context: Ctx, actor: CurrentActor) -> AsyncIterator[Open]:
    state = request.app.state
    if not hasattr(state, "open_apps"):
        state.open_apps = OpenApps(context, state.stop)
    open_apps: OpenApps = state.open_apps
    async with open_apps.watching(actor) as stream:
        yield stream


@router.get(
    "/me/messages/live",
    operation_id="watchMessages",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **documents(TooManyStreams),
    },
)
async def watch(
    request: Request,
    context: Ctx,
    stream: Annotated[Open, Depends(_watching)],
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=200)] = None,
) -> StreamingResponse:
    """What one is told from now on.

    - `ready`: nothing from here on is missed. Read the list now, then apply what comes.
    - `message`: one as in `GET /v1/me/messages`; one that was sent before replaces it. The
      last id, given back as `Last-Event-ID`, brings what was missed.
    - `resync`: too much was missed; read the list again.
    - `ping`: every 15 s.
    - `end`: `{"reason": …}`, `signed_out`, `resync` or `stopping`; then the stream ends.
      Streams end with the access token: come back with a new one.

    At most 5 streams an account.
    """
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    return StreamingResponse(
        _events(context, stream, token, last, language_of(request)),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(
    context: Context, stream: Open, token: str, last: str | None, language: Language
) -> AsyncIterator[bytes]:
    def event(told: Told) -> bytes:
        # What was caught up with may wait here as well.
        if told.message.round is not None and told.message.round <= stream.seen:
            return b""
        return _event(told, language)

    yield streams.beginning()
    if last:
        missed = await _missed(stream.actor, last)
        if missed is None:
            yield streams.resync()
        for told in missed or ():
            yield _event(told, language)
            stream.seen = told.message.round or stream.seen
    async for frame in streams.frames(context, stream, token, event, ping=PING_SECONDS):
        if frame:
            yield frame


async def _missed(actor: Actor, last: str) -> list[Told] | None:
    """What the account was told after round `last`. Two statements.

    Returns:
        None when that cannot be said: `last` is none of ours, or too long ago.
    """
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else -1
    if not 0 <= after <= await last_round():
        return None
    rows = (
        await Message.filter(account_id=actor.account_id, round__gt=after)
        .order_by("round", "id")
        .limit(REPLAYED + 1)
    )
    return told_of(rows) if len(rows) <= REPLAYED else None


def _event(told: Told, language: Language) -> bytes:
    data = shown(told.message, language).model_dump_json()
    id_ = None if told.id is None else str(told.id)
    return format_sse_event(event="message", data_str=data, id=id_)
