"""Runs services side by side: started in order, stopped in reverse, failing together."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar, cast

import structlog

from foundation.clock import Clock, utc_now
from foundation.health import Health
from foundation.security import Keyring
from foundation.settings import Settings
from foundation.wake import Wake

log = structlog.get_logger()

Port = TypeVar("Port")


class Service(Protocol):
    """Something that runs until `stop` is set and leaves nothing behind."""

    @property
    def name(self) -> str:
        """For logs and health."""
        ...

    async def start(self) -> None:
        """Be reachable when this returns (sockets bound); raise when that cannot be."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; what is in flight finishes first."""
        ...

    async def close(self) -> None:
        """Give back what `start` took. Called once for every `start`, in reverse order."""
        ...


@dataclass(slots=True)
class Context:
    """What a service is built from, and where services leave ports for the next ones."""

    settings: Settings
    keyring: Keyring
    wake: Wake = field(default_factory=Wake)
    health: Health = field(default_factory=Health)
    clock: Clock = utc_now
    _ports: dict[type, Any] = field(default_factory=dict)

    def provide(self, port: type[Port], implementation: Port) -> None:
        """Offer `implementation` to the services built after this one."""
        self._ports[port] = implementation

    def need(self, port: type[Port]) -> Port:
        """What an earlier service offered.

        Raises:
            LookupError: nobody did: the service is served without the one it needs.
        """
        try:
            return cast(Port, self._ports[port])
        except KeyError:
            raise LookupError(f"no service here provides {port.__name__}") from None


async def serve(
    services: Sequence[Service],
    *,
    stop: asyncio.Event | None = None,
    grace: timedelta = timedelta(seconds=10),
    started: asyncio.Event | None = None,
) -> None:
    """Run `services` until SIGINT, SIGTERM or `stop`.

    Each is started in order, and asked to stop in reverse, each within `grace`. A service
    that fails takes the others down with it: a supervisor restarts a whole process better
    than a process restarts half of itself.

    Raises:
        ExceptionGroup: one or more services failed while running, or while closing.
        Exception: whatever a service raised from `start`; the earlier ones are closed.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    begun: list[Service] = []
    try:
        for service in services:
            begun.append(service)
            await service.start()
        log.info("runner.started", services=[service.name for service in services])
        if started is not None:
            started.set()
        await _run(services, stop, grace)
    finally:
        await _close(begun)


async def _close(begun: Sequence[Service]) -> None:
    """Close all, last first, whatever one of them raises."""
    faults: list[Exception] = []
    for service in reversed(begun):
        try:
            await service.close()
        except Exception as fault:  # noqa: BLE001  (raised below, with those of the others)
            faults.append(fault)
    log.info("runner.stopped")
    if faults:
        raise ExceptionGroup("closing", faults)


async def _run(services: Sequence[Service], stop: asyncio.Event, grace: timedelta) -> None:
    """Run all; on `stop` ask the last first, so that nobody loses what it stands on."""
    stops = [asyncio.Event() for _ in services]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(service.run(ended), name=service.name)
            for service, ended in zip(services, stops, strict=True)
        ]
        waiting = group.create_task(stop.wait())
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            log.info("runner.stopping")
        else:
            ended_early = [task.get_name() for task in tasks if task.done()]
            log.warning("runner.service.ended", services=ended_early)
        waiting.cancel()
        for task, ended in reversed(list(zip(tasks, stops, strict=True))):
            ended.set()
            _, late = await asyncio.wait([task], timeout=grace.total_seconds())
            if late:
                log.warning("runner.cancelled", service=task.get_name())
                task.cancel()
