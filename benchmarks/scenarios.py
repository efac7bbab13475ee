"""What is measured, and how. Each scenario runs on each target; ratios come after."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

from benchmarks.report import Row
from benchmarks.targets import Load, Target, load, running
from device_registry.devices.models import DeviceSession
from device_registry.journal.models import DeviceEvent
from foundation import db

Measure = Callable[[str, bool], Awaitable[list[Row]]]


async def opening(name: str, quick: bool) -> list[Row]:
    """Open latency: HTTP request → relay → HTTP answer, one after another and 8 at once."""
    rows = []
    tries = 60 if quick else 400
    for stations in (1, 100, 1000):
        async with running(name, stations) as target, load(target) as generator:
            await _connected(generator, stations)
            async with target.resident() as client:

                async def once(number: int, ids: list[str] = target.device_ids) -> float:
                    began = time.perf_counter()
                    answer = await client.post(
                        f"/v1/doors/{ids[number % len(ids)]}/open",
                        headers={"Idempotency-Key": str(uuid4())},
                    )
                    answer.raise_for_status()
                    assert answer.json()["outcome"] == "executed", answer.text
                    return (time.perf_counter() - began) * 1000

                for number in range(10):
                    await once(number)
                cpu = target.cpu()
                samples = [await once(number) for number in range(tries)]
                cost = (target.cpu() - cpu) / tries * 1000
            scenario = f"open, {stations} connected"
            rows.append(Row.of(scenario, "latency", "ms", samples))
            rows.append(Row(scenario, "CPU an open", cost, "ms", tries))
    return rows


async def connecting(name: str, quick: bool) -> list[Row]:
    """Connects a second with full authentication and hello, and memory per station."""
    stations = 300 if quick else 1000
    async with running(name, stations) as target, load(target) as generator:
        before, cpu = target.memory(), target.cpu()
        done = await _connected(generator, stations)
        grown, spent = target.memory() - before, target.cpu() - cpu
    scenario = f"connect, {stations} stations"
    return [
        Row(scenario, "connects", done["ready"] / done["seconds"], "1/s", stations),
        Row(scenario, "CPU a connect", spent / stations * 1000, "ms", stations),
        Row(scenario, "memory a station", grown / stations / 1024, "KiB", stations),
    ]


async def heartbeats(name: str, quick: bool) -> list[Row]:
    """The highest rate at which every station's last heartbeat is in the database after 3 s."""
    stations, seconds = (300, 2.0) if quick else (1000, 5.0)
    best, cost, sent = 0.0, 0.0, 0
    async for rate, target, generator in _rising(name, stations):
        cpu = target.cpu()
        done = await generator.do("heartbeats", rate=rate, seconds=seconds)
        if not await _stored_within(3.0, target, done["last"]):
            break
        best, sent = done["sent"] / done["seconds"], done["sent"]
        cost = (target.cpu() - cpu) / sent * 1e6
        if best < 0.9 * rate:
            break  # the load generator is at its end, not the target
    scenario = f"heartbeats, {stations} stations"
    return [
        Row(scenario, "rate without loss", best, "1/s", sent),
        Row(scenario, "CPU a heartbeat", cost, "us", sent),
    ]


async def events(name: str, quick: bool) -> list[Row]:
    """The highest rate at which every QoS 1 journal event is acknowledged and stored after 5 s."""
    stations, seconds = (300, 2.0) if quick else (1000, 5.0)
    best, cost, total, row = 0.0, 0.0, 0, None
    scenario = f"journal events, {stations} stations"
    async for rate, target, generator in _rising(name, stations):
        cpu = target.cpu()
        done = await generator.do("events", rate=rate, seconds=seconds, drain=5.0)
        total += done["sent"]
        if done["acked"] < done["sent"] or not await _events_within(2.0, target, total):
            break
        best = done["sent"] / done["seconds"]
        cost = (target.cpu() - cpu) / done["sent"] * 1e6
        row = Row(
            scenario,
            "time to PUBACK",
            done["p50"],
            "ms",
            done["sent"],
            done["p50"],
            done["p95"],
            done["p99"],
        )
        if best < 0.9 * rate:
            break
    found = [
        Row(scenario, "rate without loss", best, "1/s", total),
        Row(scenario, "CPU an event", cost, "us", total),
    ]
    return [*found, row] if row else found


SCENARIOS: dict[str, Measure] = {
    "opening": opening,
    "connecting": connecting,
    "heartbeats": heartbeats,
    "events": events,
}


async def _rising(name: str, stations: int) -> AsyncIterator[tuple[float, Target, Load]]:
    """The same target at rates that grow by half, until the caller breaks."""
    async with running(name, stations) as target, load(target) as generator:
        await _connected(generator, stations)
        rate = 100.0
        while rate < 50_000:
            yield rate, target, generator
            rate *= 1.5


async def _connected(generator: Load, stations: int) -> dict[str, float]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    done = await generator.do("connect")
    assert done["ready"] == stations, done
    return done


async def _stored_within(seconds: float, target: Target, last: dict[str, int]) -> bool:
    async def stored() -> bool:
        rows = await DeviceSession.all().values_list("mac", "up_ms")
        return dict(rows) == last

    return await _true_within(seconds, target, stored)


async def _events_within(seconds: float, target: Target, total: int) -> bool:
    async def stored() -> bool:
        return await DeviceEvent.all().count() == total

    return await _true_within(seconds, target, stored)


async def _true_within(
    seconds: float, target: Target, check: Callable[[], Awaitable[bool]]
) -> bool:
    until = time.perf_counter() + seconds
    async with db.opened(target.settings.database):
        while not (found := await check()) and time.perf_counter() < until:
            await asyncio.sleep(0.1)
    return found
