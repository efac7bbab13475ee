"""What is measured, and how: connecting and opening. Each scenario runs on each target."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from benchmarks import http, stored
from benchmarks.generator import Load, stations_of
from benchmarks.report import Row
from benchmarks.targets import Target, running
from device_registry.devices.models import Device, DeviceSession
from foundation import db

WITHIN = 30.0
"""Seconds in which all stations of a scenario must have connected; who has not, stays out."""
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
    """Connect `stations` more; when the platform has stored every hello, how many are here."""
    done = await load.do("connect", count=stations, within=WITHIN)
    assert done["ready"], done
    ready = here + int(done["ready"])

    async def known() -> bool:
        return await stored.hellos() >= ready

    assert await stored.within(WITHIN, known), f"{await stored.hellos()} hellos of {ready}"
    return ready


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
    return [
        Row(scenario, "stations connected", ready, "", stations),
        Row(scenario, "connects", ready / seconds, "1/s", ready),
        Row(scenario, "CPU a connect", spent / ready * 1000, "ms", ready),
        Row(scenario, "memory a station", grown / ready / 1024, "KiB", ready),
    ]


async def opening(name: str, quick: bool) -> list[Row]:
    """Open latency: HTTP request → relay → answer of the station → HTTP answer.

    One after the other, then some at once, while every station sends its heartbeats.
    """
    tries, rows = 40 if quick else 300, []
    for stations in (1, 100) if quick else (1, 100, 1000):
        scenario = f"open, {stations} connected"
        async with connected(name, stations) as (target, load, ready):
            await load.do("beat", period=HEARTBEAT)
            doors = await _answering(ready)
            one, *others = [await target.resident() for _ in range(_AT_ONCE)]
            for number in range(10):
                await _open(one, doors[number % len(doors)])
            cpu = target.cpu()
            samples = [await _open(one, doors[number % len(doors)]) for number in range(tries)]
            cost = (target.cpu() - cpu) / tries * 1000
            began = time.perf_counter()
            share = tries // _AT_ONCE
            await asyncio.gather(
                *(_opens(each, doors, start, share) for start, each in enumerate([one, *others]))
            )
            rate = share * _AT_ONCE / (time.perf_counter() - began)
            for each in (one, *others):
                each.close()
        rows += [
            Row(scenario, "stations connected", ready, "", stations),
            Row.of(scenario, "latency", "ms", samples),
            Row(scenario, "CPU an open", cost, "ms", tries),
            Row(scenario, f"opens, {_AT_ONCE} at once", rate, "1/s", share * _AT_ONCE),
        ]
    return rows


async def _answering(ready: int) -> list[str]:
    """The doors of the stations that are here."""
    macs = await DeviceSession.filter(online=True).exclude(sess="").values_list("mac", flat=True)
    ids = await Device.filter(mac__in=macs).values_list("id", flat=True)
    assert len(ids) >= ready
    return [str(id_) for id_ in ids]


async def _opens(connection: http.Connection, doors: Sequence[str], start: int, many: int) -> None:
    for number in range(many):
        await _open(connection, doors[(start + number * _AT_ONCE) % len(doors)])


async def _open(connection: http.Connection, door: str) -> float:
    """Open one door; the milliseconds until the answer that it is open."""
    began = time.perf_counter()
    status, answer = await connection.post(f"/v1/doors/{door}/open", Idempotency_Key=str(uuid4()))
    took = (time.perf_counter() - began) * 1000
    assert status == 200, answer
    assert answer["outcome"] == "executed", answer
    return took
