"""Who watches live, and how one look at a community reaches all who watch it.

One loop a process looks at most once a second, and only at communities that somebody
watches: a storm of changes costs one look, however many streams are open.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Gauge

from business_api.accounts import sessions
from business_api.actors import Actor
from business_api.devices.live_changes import Scope, Seen
from business_api.devices.live_watcher import End, Watcher
from foundation import db
from foundation.errors import DomainError, Kind
from foundation.runner import Context
from foundation.wake import first_of

log = structlog.get_logger()

STREAMS = Gauge("live_streams", "Event streams open now.")

MOST_PER_ACCOUNT: Final = 5
MOST: Final = 500
"""Streams, and communities that are watched."""

_QUIET: Final = timedelta(seconds=1)
"""Between two looks at the same community."""
_PERIOD: Final = timedelta(seconds=5)
"""Look again, if nothing wakes us: time alone makes a mute station stale."""
_ROUNDS: Final = 3
"""Every so many looks it is asked whose session has ended, if nothing wakes us."""


class TooManyStreams(DomainError):
    """This account, or this process, has as many event streams as it may have."""

    kind, code, title = Kind.TOO_MANY, "too-many-streams", "Too many live views are open"
    title_zh = "打开的实时页面过多，请关闭一些后重试"


class _Room:
    """One community that somebody watches."""

    def __init__(self, community_id: UUID) -> None:
        self.watchers: set[Watcher] = set()
        self.primed = False
        self._seen = Seen(community_id)
        self._looking = asyncio.Lock()

    async def look(self, context: Context, *, first: bool = False) -> None:
        """Hand out what has changed since the last look; the first one only takes note.

        Args:
            context: of the process.
            first: only if nobody has looked yet.
        """
        async with self._looking:
            if first and self.primed:
                return
            changes = await self._seen.look(context)
            self.primed = True
            for watcher in self.watchers:
                if changes is None:
                    watcher.let_go("resync")
                for change in changes or ():
                    watcher.offer(change)


class Live:
    """The event streams of this process. Its loop runs only while there are any."""

    def __init__(self, context: Context, stop: asyncio.Event) -> None:
        self._context = context
        self._stop = stop
        self._rooms: dict[UUID, _Room] = {}
        self._watchers: set[Watcher] = set()
        self._abandoned = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watching(self, actor: Actor, scope: Scope) -> AsyncIterator[Watcher]:
        """Watch until the block ends; no change after its beginning is missed.

        Raises:
            TooManyStreams: for this account, or altogether.
        """
        of_account = sum(w.actor.account_id == actor.account_id for w in self._watchers)
        more = scope.communities - self._rooms.keys()
        full = len(self._watchers) >= MOST or len(self._rooms) + len(more) > MOST
        if of_account >= MOST_PER_ACCOUNT or full:
            raise TooManyStreams(retry_after=30)
        watcher = Watcher(actor, scope)
        rooms = self._join(watcher, scope.communities)
        try:
            for room in rooms:
                await room.look(self._context, first=True)
            yield watcher
        finally:
            await self._leave(watcher, scope.communities)

    def _join(self, watcher: Watcher, communities: Collection[UUID]) -> list[_Room]:
        rooms = []
        for community_id in communities:
            if community_id not in self._rooms:
                self._rooms[community_id] = _Room(community_id)
            rooms.append(self._rooms[community_id])
            rooms[-1].watchers.add(watcher)
        self._watchers.add(watcher)
        STREAMS.inc()
        if self._loop is None:
            self._abandoned = asyncio.Event()
            self._loop = asyncio.create_task(self._run(self._abandoned), name="live")
            self._loop.add_done_callback(self._ended)
        return rooms

    async def _leave(self, watcher: Watcher, communities: Collection[UUID]) -> None:
        for community_id in communities:
            self._rooms[community_id].watchers.discard(watcher)
            if not self._rooms[community_id].watchers:
                del self._rooms[community_id]
        self._watchers.discard(watcher)
        STREAMS.dec()
        if not self._watchers and (loop := self._loop) is not None:
            self._loop = None
            self._abandoned.set()
            await asyncio.wait([loop])

    def _ended(self, loop: asyncio.Task[None]) -> None:
        """A loop that died of a bug takes its streams along; the next one starts anew."""
        if self._loop is loop:
            self._loop = None
        if not loop.cancelled() and (error := loop.exception()) is not None:
            for watcher in self._watchers:
                watcher.fail(error)

    async def _run(self, abandoned: asyncio.Event) -> None:
        structlog.contextvars.clear_contextvars()  # this task outlives the request it began in
        wake, rounds = self._context.wake, 0
        with (
            wake.listen("presence", "openings", sessions.TOPIC) as kick,
            wake.listen(sessions.TOPIC) as signed_out,
        ):
            while not abandoned.is_set() and not self._stop.is_set():
                kick.clear()
                due = signed_out.is_set() or rounds % _ROUNDS == 0
                if signed_out.is_set():  # or roles or homes of somebody have changed
                    for watcher in self._watchers:
                        watcher.stale = True
                signed_out.clear()
                await self._round(sessions_too=due)
                rounds += 1
                await first_of(abandoned, self._stop, within=_QUIET)
                await first_of(kick, abandoned, self._stop, within=_PERIOD - _QUIET)
        self._let_go(self._watchers, "stopping")

    async def _round(self, *, sessions_too: bool) -> None:
        try:
            if sessions_too:
                await self._let_go_of_ended()
            for room in list(self._rooms.values()):
                await room.look(self._context)
        except db.AWAY as error:
            if not db.is_away(error):
                raise
            log.warning("live.look.failed", error=type(error).__name__)
            self._let_go(self._watchers, "resync")

    async def _let_go_of_ended(self) -> None:
        """Whose session is over sees no more. One statement for all streams."""
        asked = {watcher.actor.session_id for watcher in self._watchers}
        alive = await sessions.alive_among(asked, self._context.clock())
        over = {w for w in self._watchers if w.actor.session_id in asked - alive}
        self._let_go(over, "signed_out")

    def _let_go(self, watchers: Collection[Watcher], reason: End) -> None:
        for watcher in watchers:
            watcher.let_go(reason)
