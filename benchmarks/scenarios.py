"""What is measured, and how: connecting and opening. Each scenario runs on each target."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from benchmarks import http, stored
from benchmarks.generator import Load, stations_of
from benchmarks.process import Died
from benchmarks.report import Row
from benchmarks.targets import Target, running
from device_registry.devices.models import Device, DeviceSession
from foundation import db

WITHIN = 30.0
"""Seconds in which the stations of a scenario must have connected, and in which the doors must
have opened: who is slower stays out of it, and the figures say how many did not."""
HEARTBEAT = 30.0
"""Seconds between two heartbeats of an idle station, the platform's default."""
_WARM = 100
"""Stations that connect before memory is weighed: what is there once is no station's."""
_AT_ONCE = 8


@asynccontextmanager
async def connected(name: str, stations: int) -> AsyncIterator[tuple[Target, Load, int]]:
    """A target with its stations connected, and how many are: plain amqtt may be too slow."""
    async with (
        running(name, stations) as target,
        stations_of(target) as load,
        db.opened(target.settings.database),
    ):
        ready = await come(load, stations)
        yield target, load, ready


async def come(load: Load, stations: int, here: int = 0) -> int:
    """Connect `stations` more; how many are here when every hello is stored, or time is up.

    Raises:
        Died: nobody is here.
    """
    done = await load.do("connect", count=stations, within=WITHIN)
    ready = here + int(done["ready"])

    async def known() -> bool:
        return await stored.hellos() >= ready

    await stored.within(WITHIN, known)
    found = await stored.hellos()
    if not found:
        raise Died(f"no station got in: {done}")
    if found < here + stations:
        print(f"{found} of {here + stations} stations {done['why']}", end=" ", flush=True)
    return found


async def connecting(name: str, quick: bool) -> list[Row]:
    """Connects a second, each with authentication, subscriptions and a signed, stored hello.

    And the memory that a station costs the process which holds its connection.
    """
    stations = 200 if quick else 1000
    scenario = f"connect, {stations} stations"
    async with (
        running(name, stations + _WARM) as target,
        stations_of(target) as load,
        db.opened(target.settings.database),
    ):
        warm = await come(load, _WARM)
        memory, cpu, began = target.memory(), target.cpu(), time.perf_counter()
        ready = await come(load, stations, warm) - warm
        seconds = time.perf_counter() - began
        spent, grown = target.cpu() - cpu, target.memory() - memory
    found = [Row(scenario, "stations connected", ready, "", stations)]
    if not ready:
        return found
    return [
        *found,
        Row(scenario, "connects", ready / seconds, "1/s", ready),
        Row(scenario, "CPU a connect", spent / ready * 1000, "ms", ready),
        Row(scenario, "memory a station", grown / ready / 1024, "KiB", ready),
    ]


async def opening(name: str, quick: bool) -> list[Row]:
    """Open latency: HTTP request → relay → answer of the station → HTTP answer.

    One after the other, then some at once, while every station sends its heartbeats.
    """
    rows = []
    for stations in (100,) if quick else (1, 100, 1000):
        scenario = f"open, {stations} connected"
        async with connected(name, stations) as (target, load, ready):
            rows.append(Row(scenario, "stations connected", ready, "", stations))
            await load.do("beat", period=HEARTBEAT)
            rows += await _opened(scenario, target, 40 if quick else 300)
    return rows


async def _opened(scenario: str, target: Target, tries: int) -> list[Row]:
    doors = await _answering()
    people = [await target.resident() for _ in range(_AT_ONCE)]
    await _opens(people[0], doors, 10)
    cpu = target.cpu()
    alone = await _opens(people[0], doors, tries)
    cost = (target.cpu() - cpu) / len(alone) * 1000
    began = time.perf_counter()
    runs = [_opens(each, doors, tries // _AT_ONCE, start) for start, each in enumerate(people)]
    together = [took for run in await asyncio.gather(*runs) for took in run]
    rate = sum(took is not None for took in together) / (time.perf_counter() - began)
    for each in people:
        each.close()
    executed = [took for took in alone if took is not None]
    found = [Row(scenario, "opens executed", len(executed), "", tries)]
    if executed:
        found.append(Row.of(scenario, "latency", "ms", executed))
    return [
        *found,
        Row(scenario, "CPU an open", cost, "ms", len(alone)),
        Row(scenario, f"opens, {_AT_ONCE} at once", rate, "1/s", len(together)),
    ]


async def _answering() -> list[str]:
    """The doors of the stations that are here."""
    macs = await DeviceSession.filter(online=True).exclude(sess="").values_list("mac", flat=True)
    return [str(id_) for id_ in await Device.filter(mac__in=macs).values_list("id", flat=True)]


async def _opens(
    connection: http.Connection, doors: Sequence[str], many: int, start: int = 0
) -> list[float | None]:
    """Open so many doors, one after the other; fewer when the time for it is over.

    Milliseconds from request to answer, None for a door that did not open.
    """
    took: list[float | None] = []
    until = time.perf_counter() + WITHIN
    while len(took) < many and time.perf_counter() < until:
        door, began = doors[(start + len(took) * _AT_ONCE) % len(doors)], time.perf_counter()
        status, answer = await connection.post(
            f"/v1/doors/{door}/open", Idempotency_Key=str(uuid4())
        )
        assert status == 200, answer
        executed = answer["outcome"] == "executed"
        took.append((time.perf_counter() - began) * 1000 if executed else None)
    return took
