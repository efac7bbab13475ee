"""Event streams (server-sent events): who has one open, what waits for it, why it ends.

One loop a process looks, at most once a second, at what has changed for all its streams: a
storm of changes costs one look, however many are open. What waits for a slow reader is
bounded; who does not keep up is ended with `resync` and reads its lists again.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

import structlog
from fastapi.sse import format_sse_event
from prometheus_client import Counter, Gauge

from business_api.accounts import sessions
from business_api.accounts.tokens import Tokens
from business_api.actors import Actor
from business_api.deps import NotSignedIn
from foundation import db, fence
from foundation.errors import DomainError, Kind
from foundation.runner import Context
from foundation.wake import first_of

log = structlog.get_logger()

STREAMS = Gauge("live_streams", "Event streams open now.")
ENDED = Counter("live_streams_ended_total", "Event streams that we ended, by reason.", ["reason"])

MOST_PER_ACCOUNT: Final = 5
MOST: Final = 500
"""Of one kind in a process."""
WAITING: Final = 256
"""Events that may wait for one slow reader."""
PING_SECONDS: Final = 15.0
RETRY_MS: Final = 3000

QUIET: Final = timedelta(seconds=1)
"""Between two looks."""
_PERIOD: Final = timedelta(seconds=5)
"""Look again, if nothing wakes us."""
_ROUNDS: Final = 3
"""Every so many looks it is asked whose session has ended, if nothing wakes us."""

End = Literal["resync", "signed_out", "stopping"]

T = TypeVar("T")


class TooManyStreams(DomainError):
    """This account, or this process, has as many event streams as it may have."""

    kind, code, title = Kind.TOO_MANY, "too-many-streams", "Too many live views are open"
    title_zh = "打开的实时页面过多，请关闭一些后重试"


class Stream(Generic[T]):
    """One open stream."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.end: End | None = None
        self.stale = False
        """Roles or homes of somebody have changed since it was asked what this one may see."""
        self._waiting: deque[T] = deque()
        self._news = asyncio.Event()
        self._failure: BaseException | None = None

    def put(self, item: T) -> None:
        """Queue an event; one too many ends the stream."""
        if self.end is not None:
            return
        if len(self._waiting) >= WAITING:
            self.let_go("resync")
            return
        self._waiting.append(item)
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

    async def next(self, within: float) -> T | None:
        """The next event; None after `within` seconds, or when `end` says so."""
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


S = TypeVar("S", bound="Stream[Any]")


class Streams(ABC, Generic[S]):
    """The streams of one kind in this process. The loop runs only while there are any."""

    topics: ClassVar[tuple[str, ...]]
    """What wakes the loop."""

    def __init__(self, context: Context, stop: asyncio.Event) -> None:
        self._context = context
        self._stop = stop
        self._watchers: set[S] = set()
        self._abandoned = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    @abstractmethod
    async def look(self) -> None:
        """Give the streams what has changed since the last look."""

    def room_for(self, actor: Actor) -> None:
        """See that the actor may open one more.

        Raises:
            TooManyStreams: for this account, or altogether.
        """
        of_account = sum(w.actor.account_id == actor.account_id for w in self._watchers)
        if of_account >= MOST_PER_ACCOUNT or len(self._watchers) >= MOST:
            raise TooManyStreams(retry_after=30)

    @asynccontextmanager
    async def opened(self, stream: S) -> AsyncIterator[S]:
        """Count `stream` in, and look out for it, until the block ends."""
        self._watchers.add(stream)
        STREAMS.inc()
        if self._loop is None:
            self._abandoned = asyncio.Event()
            self._loop = asyncio.create_task(self._run(self._abandoned), name="live")
            self._loop.add_done_callback(self._ended)
        try:
            yield stream
        finally:
            self._watchers.discard(stream)
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
        # This task outlives the request it began in, and works for everybody's.
        structlog.contextvars.clear_contextvars()
        fence.take_down()
        wake, rounds = self._context.wake, 0
        with (
            wake.listen(*self.topics, sessions.TOPIC) as kick,
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
                await first_of(abandoned, self._stop, within=QUIET)
                await first_of(kick, abandoned, self._stop, within=_PERIOD - QUIET)
        if not abandoned.is_set():  # else those who watch now have a loop of their own
            self._let_go(self._watchers, "stopping")

    async def _round(self, *, sessions_too: bool) -> None:
        try:
            if sessions_too:
                await self._let_go_of_ended()
            await self.look()
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

    def _let_go(self, watchers: Collection[S], reason: End) -> None:
        for watcher in watchers:
            watcher.let_go(reason)


async def frames(
    context: Context,
    stream: Stream[T],
    token: str,
    shown: Callable[[T], bytes],
    *,
    ping: float = PING_SECONDS,
    renew: Callable[[int], Awaitable[None]] | None = None,
) -> AsyncIterator[bytes]:
    """What a stream sends, from `ready` to `end`.

    Args:
        context: of the process.
        stream: which one.
        token: the access token it was opened with; the stream ends with it.
        shown: an event as it is sent.
        ping: seconds between two signs of life.
        renew: called with the number of each ping, to ask anew what the stream may see.
    """
    tokens = Tokens(context.keyring)
    yield format_sse_event(event="ready", data_str="{}")
    loop = asyncio.get_running_loop()
    pings, due = 0, loop.time() + ping
    while stream.end is None:
        item = await stream.next(within=max(0.0, due - loop.time()))
        if item is not None:
            yield shown(item)
        if loop.time() < due:
            continue
        pings, due = pings + 1, loop.time() + ping
        try:
            tokens.read_access(token, context.clock())
            if renew is not None:
                await renew(pings)
        except NotSignedIn:
            stream.let_go("signed_out")
        except db.AWAY as error:
            if not db.is_away(error):
                raise
            stream.let_go("resync")
        else:
            yield format_sse_event(event="ping", data_str="{}")
    if stream.end == "resync":
        yield resync()
    yield format_sse_event(event="end", data_str=f'{{"reason":"{stream.end}"}}')


def beginning() -> bytes:
    """The first of all: how soon to come back."""
    return format_sse_event(retry=RETRY_MS)


def resync() -> bytes:
    """With an empty id, so that a client does not ask again for what it cannot get."""
    return format_sse_event(event="resync", data_str="{}", id="")
