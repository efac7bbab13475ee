"""Reading server-sent events over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from business_api.service import HttpService


@dataclass
class Event:
    name: str
    data: Any
    id: str | None


@dataclass
class Stream:
    """One open stream, and what it has said so far."""

    events: list[Event] = field(default_factory=list)
    retry: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]

    def data(self, name: str) -> list[Any]:
        return [event.data for event in self.named(name)]

    async def read(self, answer: httpx.Response) -> None:
        """Take events in until the other side ends the stream."""
        name, data, id_ = "", "", None
        async for line in answer.aiter_lines():
            key, _, value = line.partition(": ")
            match key:
                case "event":
                    name = value
                case "data":
                    data += value
                case "id":
                    id_ = value
                case "retry":
                    self.retry = int(value)
                case "" if name:
                    self.events.append(Event(name, json.loads(data), id_))
                    name, data, id_ = "", "", None
        self.ended.set()


@dataclass
class Server:
    """The API on a socket."""

    service: HttpService
    stop: asyncio.Event

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"

    @asynccontextmanager
    async def live(
        self,
        headers: dict[str, str],
        last: str | None = None,
        *,
        path: str = "/v1/live",
        **query: str,
    ) -> AsyncIterator[Stream]:
        """Open a stream; closed when the block ends."""
        if last is not None:
            headers = headers | {"Last-Event-ID": last}
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=30) as client,
            client.stream("GET", path, headers=headers, params=query) as answer,
        ):
            if answer.status_code != 200:
                await answer.aread()
                raise AssertionError(f"{answer.status_code} {answer.text}")
            assert answer.headers["content-type"].startswith("text/event-stream")
            stream = Stream()
            reading = asyncio.create_task(stream.read(answer))
            try:
                yield stream
            finally:
                reading.cancel()
                await asyncio.wait([reading])
                if not reading.cancelled():
                    reading.result()


@asynccontextmanager
async def serving(service: HttpService) -> AsyncIterator[Server]:
    """Serve until the block ends, or `stop` is set in it."""
    await service.start()
    server = Server(service, asyncio.Event())
    running = asyncio.create_task(service.run(server.stop))
    try:
        yield server
    finally:
        server.stop.set()
        await running
        await service.close()
