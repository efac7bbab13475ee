"""Wake-ups: "look again". A lost one costs a poll period, never correctness.

`kick` after COMMIT, never before. Topics are plain strings ("commands", "command/01J…").
In one process an event is set. Other processes hear it through the same local table: by NOTIFY on
PostgreSQL (`foundation.wake_pg`), by a socket in the data folder on SQLite (`wake_local`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

_held: ContextVar[list[tuple["Wake", str]] | None] = ContextVar("held", default=None)


class Wake:
    """Who is waiting for what, in this process."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._relay: Callable[[str], None] | None = None

    def relay(self, forward: Callable[[str], None] | None) -> None:
        """Also tell other processes of every `kick` through `forward`."""
        self._relay = forward

    def kick(self, topic: str) -> None:
        """Wake everybody who listens to `topic`, here and in other processes."""
        held = _held.get()
        if held is not None:
            held.append((self, topic))
            return
        self.heard(topic)
        if self._relay is not None:
            self._relay(topic)

    def heard(self, topic: str) -> None:
        """Wake the listeners of this process only."""
        for event in self._waiting.get(topic, ()):
            event.set()

    def heard_all(self) -> None:
        """Wake everybody in this process: some kicks may have been missed."""
        for topic in list(self._waiting):
            self.heard(topic)

    @contextmanager
    def listen(self, *topics: str) -> Iterator[asyncio.Event]:
        """An event that any of `topics` sets. Clear it before looking, then wait."""
        event = asyncio.Event()
        for topic in topics:
            self._waiting[topic].add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._waiting[topic].discard(event)
                if not self._waiting[topic]:
                    del self._waiting[topic]


@contextmanager
def held() -> Iterator[None]:
    """Keep kicks of this task back until the block ends; drop them when it fails.

    For whoever runs somebody else's act, which kicks after its own transaction, inside a
    larger one: around that one, so that the kicks still come after COMMIT.
    """
    kicks: list[tuple[Wake, str]] = []
    outer = _held.set(kicks)
    try:
        yield
    finally:
        _held.reset(outer)
    for wake, topic in kicks:
        wake.kick(topic)


async def first_of(*events: asyncio.Event, within: timedelta) -> None:
    """Return when any of `events` is set, or `within` has passed."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(
            waits, timeout=within.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for wait in waits:
            wait.cancel()
