"""Running a service for as long as a block lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from foundation.runner import Service


@asynccontextmanager
async def running(*services: Service) -> AsyncIterator[None]:
    """Start `services` in order, run them, and stop them in reverse; what they raise fails."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        try:
            for service in services:
                await service.start()
                group.create_task(service.run(stop), name=service.name)
            yield
        finally:
            stop.set()
    for service in reversed(services):
        await service.close()
