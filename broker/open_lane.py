"""The open lane, but for the engine in it: who is connected, and what it hears of stations."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, Protocol

from prometheus_client import Gauge

from broker import codec
from broker.lane import Lane
from broker.open_client import Client, Principal
from broker.open_router import Router
from foundation.settings import Broker as Settings

CONNECTIONS: Final = Gauge("open_lane_connections", "Clients of the open lane, now.")
_CLOSE: Final = 10.0
"""Seconds that all clients together may take to be gone."""


class Clients:
    """The table. A name is account and client id: no account can end another's connection.

    How many there may be, and until when each, is the gate's business.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[str, Client] = {}
        self._serving = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    @asynccontextmanager
    async def serving(
        self,
        connect: codec.Connect,
        principal: Principal,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> AsyncIterator[tuple[Client, str] | None]:
        """A client and its name while the block runs; None when it was turned away.

        Its earlier connection ends first. Afterwards it is gone and its writer closed.
        """
        client = Client(principal, connect, reader, writer, self._settings)
        if self._closed:
            client.send(codec.connack(codec.UNAVAILABLE))
            await client.close()
            yield None
            return
        name = f"{principal.name}/{connect.client_id or secrets.token_hex(8)}"
        if (old := self._clients.get(name)) is not None:
            old.end("taken_over")
        self._clients[name] = client
        self._count(1)
        try:
            yield client, name
        finally:
            if self._clients.get(name) is client:
                del self._clients[name]
            await client.close()
            self._count(-1)

    async def close(self) -> None:
        """End all, and admit nobody any more.

        Raises:
            TimeoutError: somebody is still being served after 10 s.
        """
        self._closed = True
        for client in list(self._clients.values()):
            client.end("shutdown")
        async with asyncio.timeout(_CLOSE):
            await self._idle.wait()

    def _count(self, change: int) -> None:
        self._serving += change
        CONNECTIONS.inc(change)
        if self._serving:
            self._idle.clear()
        else:
            self._idle.set()


class Engine(Protocol):
    """What speaks MQTT with the clients of this lane."""

    async def start(self) -> None:
        """Be ready to serve."""
        ...

    async def serve(self, client: Client, connect: codec.Connect) -> None:
        """Answer `connect` and speak with `client` until it is gone. Raises nothing of its own."""
        ...

    async def shutdown(self) -> None:
        """Stop; nobody is being served any more."""
        ...


class ServiceLane:
    """See `broker.gate.OpenLane`."""

    def __init__(self, settings: Settings, lane: Lane, engine: Callable[[Router], Engine]) -> None:
        self._lane = lane
        self._clients = Clients(settings)
        self._router = Router(settings, self._mirror)
        self._new_engine = engine
        self._engine: Engine | None = None

    async def start(self) -> None:
        """Be ready to admit."""
        self._engine = self._new_engine(self._router)
        await self._engine.start()

    async def admit(
        self,
        connect: codec.Connect,
        principal: Principal,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Serve one client until it is gone."""
        async with self._clients.serving(connect, principal, reader, writer) as admitted:
            if admitted is not None and self._engine is not None:
                client, name = admitted
                await self._engine.serve(client, replace(connect, client_id=name))

    async def close(self) -> None:
        """Disconnect everybody."""
        await self._clients.close()
        if self._engine is not None:
            await self._engine.shutdown()
            self._engine = None

    def _mirror(self, wanted: bool) -> None:
        self._lane.mirror = self._router.route if wanted else None
