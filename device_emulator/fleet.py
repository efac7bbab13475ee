"""Any number of stations in one process, on one storage, against one platform."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import structlog

from device_emulator import controls
from device_emulator.config import Config
from device_emulator.emulated import Emulated
from device_emulator.engine import Engine
from device_emulator.enrolment import Platform
from device_emulator.faults import FAIR, Fault, Weather
from device_emulator.rig import World
from device_emulator.storage import Storage
from foundation.clock import Clock, utc_now
from foundation.ids import Mac
from foundation.wire.enroll import MqttAddress

log = structlog.get_logger()

_ATTEMPTS: Final = 50
"""Connections being made at once."""
_SPREAD: Final = 5
"""Milliseconds a station: over so long the fleet's first words are spread."""
_GOODBYE: Final = 5.0
"""Seconds for everybody to hang up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What fleet is wanted."""

    url: str
    """Of the platform, e.g. `https://127.0.0.1:8443`."""
    ca: Path | None = None
    """PEM file of the authority of that address; None: the machine's."""
    count: int = 1
    macs: Sequence[Mac] = ()
    """These stations; filled up to `count` with those of the storage and then new ones."""
    path: Path | None = None
    """The storage; None: in memory."""
    broker: MqttAddress | None = None
    """Where the broker is, if not where the registration says."""
    config: Config = field(default_factory=Config)
    seed: int | None = None
    """For jitter, weather and made-up MACs; not for keys."""
    up: Weather = FAIR
    down: Weather = FAIR
    clock: Clock = utc_now


class Fleet:
    """A service: `start`, `run`, `close`; or `async with Fleet(plan).running() as fleet`."""

    name: Final = "emulator"

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.stations: dict[Mac, Emulated] = {}
        self._platform: Platform | None = None
        self._storage: Storage | None = None
        self._powered = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def __getitem__(self, mac: str) -> Emulated:
        return self.stations[Mac(mac)]

    async def start(self) -> None:
        """Open the storage and know the stations; they are off still.

        Raises:
            StorageUnusable: the file is taken, not ours, or from a newer version.
            UnsafePlatform: the address is none, or would talk in clear over a network.
        """
        plan, self._loop = self.plan, asyncio.get_running_loop()
        self._platform = platform = Platform(plan.url, plan.ca)
        self._storage = storage = Storage(plan.path)
        self._engine = Engine(storage, self._now)
        self._world = World(
            storage=storage,
            platform=platform,
            config=plan.config,
            clock=plan.clock,
            now=self._now,
            spawn=self._spawn,
            gate=asyncio.Semaphore(_ATTEMPTS),
            broker=plan.broker,
            seed=plan.seed,
            up=plan.up,
            down=plan.down,
            rng=random.Random(plan.seed),
        )
        macs = wanted(plan, storage.stations())
        storage.add(macs)
        for mac in macs:
            self.stations[mac] = Emulated(mac, self._world, self._engine.post, self._engine.turn)

    async def run(self, stop: asyncio.Event) -> None:
        """Power everybody on and work until `stop`; then everybody hangs up politely."""
        rng = random.Random(self.plan.seed)
        async with asyncio.TaskGroup() as group:
            self._group = group
            for station in self.stations.values():
                station.power_on(contact_after=rng.randint(0, _SPREAD * len(self.stations)))
            self._powered.set()
            log.info("fleet.started", stations=len(self.stations), platform=self.plan.url)
            waker = group.create_task(self._wake_at(stop))
            await self._engine.run(stop)
            waker.cancel()
            await self._go_home()
        log.info("fleet.stopped")

    async def powered(self) -> None:
        """Wait until `run` has given every station its power: from then on each has a state."""
        await self._powered.wait()

    async def close(self) -> None:
        """Give back storage and connections; also after a `start` that failed."""
        if self._platform is not None:
            await self._platform.close()
        if self._storage is not None:
            self._storage.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Start, run inside the block, stop and close."""
        stop = asyncio.Event()
        try:
            await self.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.run(stop))
                try:
                    await self.powered()
                    yield self
                finally:
                    stop.set()
        finally:
            await self.close()

    def weather(self, up: Weather = FAIR, down: Weather = FAIR) -> None:
        """Change how messages fare from here on."""
        self._world.up, self._world.down = up, down

    def rehearse(self, timetable: Sequence[Fault]) -> list[tuple[float, Callable[[], None]]]:
        """What `play` will do: at which second, and what.

        Raises:
            BadControl: a control or its arguments do not exist.
            NoSuchStation: not one of the fleet's.
        """
        moves: list[tuple[float, Callable[[], None]]] = []
        for fault in timetable:
            act = controls.parse(fault.control, fault.arguments)
            meant = [self.find(fault.mac)] if fault.mac else self.stations.values()
            moves += [(fault.at, partial(act, station)) for station in meant]
        return moves

    async def play(self, timetable: Sequence[Fault]) -> None:
        """Let these faults happen, each at its second from now; errors as `rehearse`."""
        moves, begun = self.rehearse(timetable), self._loop.time()
        for at, move in moves:
            await asyncio.sleep(max(0.0, begun + at - self._loop.time()))
            move()

    def find(self, mac: str) -> Emulated:
        """One station.

        Raises:
            NoSuchStation: not one of the fleet's.
        """
        found = self.stations.get(Mac(mac))
        if found is None:
            raise controls.NoSuchStation(f"station {mac}")
        return found

    def totals(self) -> Counter[str]:
        """What was counted, over all stations and their lives."""
        return sum((station.counts() for station in self.stations.values()), Counter())

    def states(self) -> Counter[str]:
        """How many stations are in which state."""
        return Counter(
            station.station.panel.state.value if station.powered else "OFF"
            for station in self.stations.values()
        )

    def online(self) -> int:
        """How many are connected."""
        return sum(
            station.powered and station.station.uplink.online for station in self.stations.values()
        )

    def _now(self) -> int:
        return int(self._loop.time() * 1000)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._engine.stop()

    async def _go_home(self) -> None:
        goodbyes = [asyncio.ensure_future(it.hang_up()) for it in self.stations.values()]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=_GOODBYE)
        for task in [*goodbyes, *self._tasks]:
            task.cancel()


def wanted(plan: Plan, known: Sequence[Mac]) -> list[Mac]:
    """The MACs of a fleet: the named ones, then known ones, then new ones up to `count`.

    New ones are locally administered (`02:…`): a maker, random or from the seed, and a
    number, so that two fleets in one network do not meet.
    """
    macs = list(dict.fromkeys(plan.macs))
    macs += [mac for mac in known if mac not in set(macs)][: max(0, plan.count - len(macs))]
    maker = random.Random(plan.seed).randbytes(3) if plan.seed is not None else os.urandom(3)
    taken, number = set(macs) | set(known), 0
    while len(macs) < plan.count:
        number += 1
        mac = Mac(f"02{maker.hex()}{number:04x}")
        if mac not in taken:
            macs.append(mac)
    return macs
