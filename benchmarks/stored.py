"""What the platform has stored and heard: how a scenario knows that nothing was lost."""

import asyncio
import time
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks.targets import Target
from device_registry.devices.models import DeviceSession
from device_registry.journal.models import DeviceEvent

_HEARD: Final = 'broker_messages_total{direction="in",name="hb"}'


async def hellos() -> int:
    """How many stations are online and have said hello."""
    return await DeviceSession.filter(online=True).exclude(sess="").count()


async def last_heartbeats(last: dict[str, int]) -> bool:
    """Whether the newest word of every station is in its row."""
    rows = await DeviceSession.filter(mac__in=list(last)[:1]).values_list("mac", "up_ms")
    if any(last[mac] != up_ms for mac, up_ms in rows):
        return False  # not worth reading the others yet
    found = dict(await DeviceSession.all().values_list("mac", "up_ms"))
    return all(found.get(mac) == up_ms for mac, up_ms in last.items())


async def events() -> int:
    """How many journal events there are."""
    return await DeviceEvent.all().count()


def heartbeats_heard(target: Target) -> int:
    """How many heartbeats have reached ingest, by the platform's own count."""
    with urllib.request.urlopen(f"http://127.0.0.1:{target.http_port}/metrics", timeout=10) as page:
        for line in page.read().decode().splitlines():
            if line.startswith(_HEARD):
                return int(float(line.rsplit(" ", 1)[1]))
    return 0


async def within(seconds: float, check: Callable[[], Awaitable[bool]]) -> bool:
    """Whether `check` becomes true in time."""
    until = time.perf_counter() + seconds
    while not (found := await check()) and time.perf_counter() < until:
        await asyncio.sleep(0.02)
    return found
