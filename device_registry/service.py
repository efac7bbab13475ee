"""The device registry as a service: hears stations, and keeps house."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Gauge

from device_registry.devices import lifecycle, results
from device_registry.devices.models import SessionLog
from device_registry.devices.presence import Sessions
from device_registry.devices.queries import Presence
from device_registry.devices.states import Status
from device_registry.journal import ingest
from device_registry.link import DeviceInbox, Heard
from foundation import sql
from foundation.outage import Outage
from foundation.runner import Context
from foundation.wake import first_of
from foundation.wire.command import Result
from foundation.wire.events import EventBatch
from foundation.wire.hello import Heartbeat, Hello, Will

log = structlog.get_logger()

STATIONS = Gauge(
    "stations", "Registered stations: the active ones by presence, the others by status.", ["state"]
)

_COUNT: Final = """
SELECT CASE
    WHEN d.status <> 'active' THEN d.status
    WHEN s.online IS NULL OR NOT s.online THEN 'offline'
    WHEN s.sess <> '' AND s.heard_at >= ? THEN 'online'
    ELSE 'stale' END AS state, count(*) AS n
FROM registry_device d LEFT JOIN registry_device_session s ON s.mac = d.mac
GROUP BY 1
"""
_STATES: Final = [*Presence, *(set(Status) - {Status.ACTIVE})]

_RARELY: Final = 120
"""Every so many rounds: what need not be done often."""
_FORGET: Final = 10_000
"""Most lines of the session log that one round deletes."""
_LATE: Final = 6
"""So many periods without a finished round, and readiness says so."""


def build(context: Context) -> "RegistryService":
    """Hear what stations say; the broker that lets us is built before."""
    service = RegistryService(context)
    inbox = context.need(DeviceInbox)
    inbox.watch(service.sessions.changed)
    inbox.hear(Hello.ROUTE.name, service.hello)
    inbox.hear(Heartbeat.ROUTE.name, service.sessions.heartbeats)
    inbox.hear(Will.ROUTE.name, service.sessions.wills)
    inbox.hear(Result.ROUTE.name, service.results)
    inbox.hear(EventBatch.ROUTE.name, service.events)
    context.health.add(service.name, service.trouble)
    return service


class RegistryService:
    """Settles what nobody settled, lets lapse what has lapsed, counts."""

    name = "registry"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._finished: float | None = None
        self.sessions = Sessions(context)

    async def hello(self, batch: Sequence[Heard]) -> None:
        """Stations say who they are, how far their journals go, and which secret they hold."""
        believed = await self.sessions.hello(batch)
        await ingest.compare(self._context, believed)
        behind = {who.mac for who, hello in believed if hello.secret_ver < max(who.keys)}
        await lifecycle.nudge(self._context, behind)

    async def results(self, batch: Sequence[Heard]) -> None:
        """Stations answer commands."""
        await results.heard(self._context, batch)

    async def events(self, batch: Sequence[Heard]) -> None:
        """Stations send their journals."""
        await ingest.heard(self._context, batch)

    async def start(self) -> None:
        """Keep house once, so that nothing is late from the beginning."""
        await self._keep_house(0)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep house until `stop`; while the database is away, try again."""
        count, outage = 0, Outage(self.name)
        while not stop.is_set():
            await first_of(stop, within=self._context.settings.devices.registry_period)
            count += 1
            with outage.bridged():
                await self._keep_house(count)

    async def close(self) -> None:
        """Nothing is held: every round gives back what it took."""

    async def trouble(self) -> str | None:
        """What is wrong, for readiness."""
        if self._finished is None:
            return "not started"
        period = self._context.settings.devices.registry_period
        silent = timedelta(seconds=asyncio.get_running_loop().time() - self._finished)
        return f"last round {silent} ago" if silent > _LATE * period else None

    async def _keep_house(self, count: int) -> None:
        now = self._context.clock()
        if late := await results.overdue(self._context):
            log.warning("door.open.overdue", commands=late)
        await lifecycle.sweep(self._context)
        await measure(now, self._context.settings.devices.stale_after)
        if count % _RARELY == 0:
            await forget(now - self._context.settings.devices.session_log_for)
        self._finished = asyncio.get_running_loop().time()


async def measure(now: datetime, stale_after: timedelta) -> None:
    """Set the gauge of stations. One statement."""
    rows = await sql.fetch(_COUNT, now - stale_after)
    counts = {row["state"]: row["n"] for row in rows}
    for state in _STATES:
        STATIONS.labels(state.value).set(counts.get(state.value, 0))


async def forget(before: datetime) -> int:
    """Delete old beginnings and ends of sessions, a bounded number; says how many."""
    old = (
        await SessionLog.filter(at__lt=before)
        .order_by("at")
        .limit(_FORGET)
        .values_list("id", flat=True)
    )
    if old:
        await SessionLog.filter(id__in=old).delete()
        log.info("presence.log.forgotten", lines=len(old))
    return len(old)
