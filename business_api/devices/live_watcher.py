"""One event stream: what it may see, what waits to be sent, and why it ends.

What waits is bounded. A stream that does not keep up is ended with `resync`: its client
reads its lists again, which costs less than sending all it missed.
"""

import asyncio
from collections import deque
from typing import Final, Literal

from prometheus_client import Counter

from business_api.actors import Actor
from business_api.devices.live_changes import Change, Scope

ENDED = Counter("live_streams_ended_total", "Event streams that we ended, by reason.", ["reason"])

End = Literal["resync", "signed_out", "stopping"]

WAITING: Final = 256
"""Changes that may wait for one slow reader."""


class Watcher:
    """See the module. Offered to by `live_feed`, emptied by `live`."""

    def __init__(self, actor: Actor, scope: Scope) -> None:
        self.actor = actor
        self.scope = scope
        self.end: End | None = None
        self.stale = False
        """Roles or homes of somebody have changed since it was asked what this one may see."""
        self._waiting: deque[Change] = deque()
        self._news = asyncio.Event()
        self._failure: BaseException | None = None

    def offer(self, change: Change) -> None:
        """Queue what of `change` this stream may see; one too many ends it."""
        mine = change.within(self.scope)
        if mine is None or self.end is not None:
            return
        if len(self._waiting) >= WAITING:
            self.let_go("resync")
            return
        self._waiting.append(mine)
        self._news.set()

    def let_go(self, reason: End) -> None:
        """End the stream. What still waits is not sent."""
        if self.end is not None:
            return
        self.end = reason
        self._waiting.clear()
        self._news.set()
        ENDED.labels(reason).inc()

    def fail(self, error: BaseException) -> None:
        """A bug ended the look-out; `next` raises it, in the request of this stream."""
        self._failure = error
        self._news.set()

    async def next(self, within: float) -> Change | None:
        """The next change; None after `within` seconds, or when `end` says so."""
        if not self._waiting and self.end is None and self._failure is None:
            self._news.clear()
            try:
                async with asyncio.timeout(within):
                    await self._news.wait()
            except TimeoutError:
                return None
        if self._failure is not None:
            raise self._failure
        return self._waiting.popleft() if self._waiting else None
