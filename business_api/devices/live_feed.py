"""Who watches live, and how one look at a community reaches all who watch it.

Only communities that somebody watches are looked at, each once for all who do.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from business_api.actors import Actor
from business_api.devices.live_changes import Scope, Seen
from business_api.devices.live_watcher import Watcher
from business_api.streams import Streams, TooManyStreams
from foundation.runner import Context

MOST: Final = 500
"""Communities that are watched."""


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


class Live(Streams[Watcher]):
    """The live views of this process."""

    topics = ("presence", "openings")

    def __init__(self, context: Context, stop: asyncio.Event) -> None:
        super().__init__(context, stop)
        self._rooms: dict[UUID, _Room] = {}

    @asynccontextmanager
    async def watching(self, actor: Actor, scope: Scope) -> AsyncIterator[Watcher]:
        """Watch until the block ends; no change after its beginning is missed.

        Raises:
            TooManyStreams: for this account, or altogether.
        """
        self.room_for(actor)
        if len(self._rooms.keys() | scope.communities) > MOST:
            raise TooManyStreams(retry_after=30)
        watcher = Watcher(actor, scope)
        rooms = self._enter(watcher, scope.communities)
        try:
            async with self.opened(watcher):
                for room in rooms:
                    await room.look(self._context, first=True)
                yield watcher
        finally:
            self._leave(watcher, scope.communities)

    async def look(self) -> None:
        """Two statements for each community that is watched, two more for new openings."""
        for room in list(self._rooms.values()):
            await room.look(self._context)

    def _enter(self, watcher: Watcher, communities: Collection[UUID]) -> list[_Room]:
        rooms = []
        for community_id in communities:
            if community_id not in self._rooms:
                self._rooms[community_id] = _Room(community_id)
            rooms.append(self._rooms[community_id])
            rooms[-1].watchers.add(watcher)
        return rooms

    def _leave(self, watcher: Watcher, communities: Collection[UUID]) -> None:
        for community_id in communities:
            self._rooms[community_id].watchers.discard(watcher)
            if not self._rooms[community_id].watchers:
                del self._rooms[community_id]
