"""Whole communities at a glance: counts for a console, and where each station stands."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from device_registry.devices.queries import STALE_AFTER, Presence, presence_of
from device_registry.devices.states import Status
from foundation import sql

MOST: Final = 10_000
"""Stations of one community that are looked at."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many stations. `presence` counts the active ones only: others cannot be here."""

    presence: dict[Presence, int]
    status: dict[Status, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one station stands; equal as long as nothing worth telling has changed."""

    device_id: UUID
    status: Status
    presence: Presence
    since: datetime | None
    reason: str


_SESSIONS: Final = """
FROM registry_device d LEFT JOIN registry_device_session s ON s.mac = d.mac
WHERE d.status <> 'unbound'
"""
_PRESENCE: Final = """d.status, CASE
    WHEN s.online IS NULL OR NOT s.online THEN 'offline'
    WHEN s.sess <> '' AND s.heard_at >= ? THEN 'online'
    ELSE 'stale' END AS presence, count(*) AS n"""
_COUNTS: Final = f"SELECT {_PRESENCE} {_SESSIONS}"
_COUNTS_OF_EACH: Final = f"SELECT d.community_id, {_PRESENCE} {_SESSIONS}"
_STANDINGS: Final = f"""
SELECT d.id, d.status, s.online, s.since, s.reason, s.heard_at, s.sess
{_SESSIONS} AND d.community_id = ? ORDER BY d.id LIMIT ?
"""


async def counts(
    communities: Collection[UUID] | None, now: datetime, *, stale_after: timedelta = STALE_AFTER
) -> Counts:
    """Count the stations of communities; None: of every one. One statement."""
    statement, values = _COUNTS, list[object]([now - stale_after])
    if communities is not None:
        condition, value = sql.among("d.community_id", communities)
        statement, values = f"{statement} AND {condition}", [*values, value]
    found = _none()
    for row in await sql.fetch(statement + " GROUP BY 1, 2", *values):
        _add(found, row)
    return found


async def counts_of_each(
    communities: Collection[UUID], now: datetime, *, stale_after: timedelta = STALE_AFTER
) -> dict[UUID, Counts]:
    """The same, each community by itself; one without stations too. One statement."""
    found = {community_id: _none() for community_id in communities}
    if not found:
        return found
    condition, value = sql.among("d.community_id", found.keys())
    statement = f"{_COUNTS_OF_EACH} AND {condition} GROUP BY 1, 2, 3"
    for row in await sql.fetch(statement, now - stale_after, value):
        _add(found[UUID(str(row["community_id"]))], row)
    return found


def _none() -> Counts:
    presence = dict.fromkeys(Presence, 0)
    return Counts(presence, dict.fromkeys(set(Status) - {Status.UNBOUND}, 0))


def _add(counted: Counts, row: sql.Row) -> None:
    counted.status[Status(row["status"])] += row["n"]
    if row["status"] == Status.ACTIVE:
        counted.presence[Presence(row["presence"])] += row["n"]


async def standings(
    community_id: UUID, now: datetime, *, stale_after: timedelta = STALE_AFTER
) -> list[Standing]:
    """Every station of a community, the unbound ones excepted. One statement."""
    found = []
    for row in await sql.fetch(_STANDINGS, community_id, MOST):
        here = presence_of(row, now, stale_after)
        device_id = UUID(str(row["id"]))
        status = Status(row["status"])
        found.append(Standing(device_id, status, here.presence, here.since, here.reason))
    return found
