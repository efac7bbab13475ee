"""Wake-ups between processes, over LISTEN/NOTIFY of the PostgreSQL they share.

One connection of its own a process. While it is lost nothing is heard; when it is back
everybody is woken once, because anything may have happened meanwhile.
"""

import asyncio
import os
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog

from foundation.settings import Database
from foundation.wake import Wake, first_of

log = structlog.get_logger()

CHANNEL: Final = "linli_wake"
PROBE: Final = timedelta(seconds=30)
"""How often a silent connection is tried: a peer that vanished sends no reset."""
FIRST_PAUSE: Final = 0.1
"""Seconds before the first new attempt; doubled up to 5."""
MOST: Final = 10_000
"""Most topics that wait to be sent; then the oldest goes (a lost one costs a poll period)."""

_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


class Relay:
    """A service: what is kicked here is heard in the other processes, and the reverse."""

    name = "wake"

    def __init__(self, wake: Wake, database: Database) -> None:
        self._wake = wake
        self._dsn = database.url.get_secret_value()
        self._me = os.urandom(8).hex()
        self._pending: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._connection: asyncpg.Connection | None = None

    async def start(self) -> None:
        """Listen. From now on every `kick` goes out too.

        Raises:
            OSError: the database cannot be reached.
        """
        self._connection = await self._connect()
        self._wake.relay(self._forward)

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is kicked until `stop`; connect again for as long as it takes."""
        pause = FIRST_PAUSE
        while not stop.is_set():
            self._changed.clear()
            try:
                await self._send(await self._live())
                pause = FIRST_PAUSE
            except _LOST as error:
                if pause == FIRST_PAUSE:
                    log.warning("wake.relay.lost", error=str(error) or type(error).__name__)
                self._drop()
                await first_of(stop, within=timedelta(seconds=pause))
                pause = min(pause * 2, 5.0)
                continue
            await first_of(self._changed, stop, within=PROBE)

    async def close(self) -> None:
        """Send what was kicked last, if the connection still lives, and let go."""
        self._wake.relay(None)
        if self._connection is not None:
            try:
                await self._send(self._connection)
                await self._connection.close(timeout=5)
            except _LOST as error:
                log.info("wake.relay.cut", error=str(error) or type(error).__name__)
                self._drop()

    def _forward(self, topic: str) -> None:
        self._pending[topic] = None
        if len(self._pending) > MOST:
            del self._pending[next(iter(self._pending))]
        self._changed.set()

    async def _send(self, connection: asyncpg.Connection) -> None:
        """One statement for everything that waits; an empty one proves that the line lives."""
        topics, self._pending = self._pending, {}
        try:
            await connection.execute(
                f"SELECT pg_notify('{CHANNEL}', topic) FROM unnest($1::text[]) AS topic",  # noqa: S608
                [f"{self._me} {topic}" for topic in topics],
                timeout=10,
            )
        except BaseException:
            self._pending = topics | self._pending
            raise

    async def _live(self) -> asyncpg.Connection:
        """The connection; another one, and everybody woken, when it was lost."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            log.info("wake.relay.connected")
            self._wake.heard_all()
        return self._connection

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._dsn, timeout=10, server_settings={"application_name": "linli wake"}
        )
        connection.add_termination_listener(lambda _: self._changed.set())
        await connection.add_listener(CHANNEL, self._heard)
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        sender, _, topic = str(payload).partition(" ")
        if sender != self._me:
            self._wake.heard(topic)
