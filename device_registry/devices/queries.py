"""Reads of stations: what a console lists."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from device_registry.devices.models import SessionLog
from device_registry.devices.states import Position, Status
from foundation import sql
from foundation.settings import Devices

STALE_AFTER: Final = Devices().stale_after


class Presence(StrEnum):
    """Whether a station is here; derived, see `presence_of`."""

    ONLINE = "online"
    STALE = "stale"  # connected, but mute, or no hello yet
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Here:
    """Presence of one station, since when and why."""

    presence: Presence
    since: datetime | None
    """None: it never connected."""
    reason: str
    """Of OFFLINE: how the session ended, `never`; of STALE: `mute`, `no_hello`."""
    last_heard: datetime | None


@dataclass(frozen=True, slots=True)
class Station:
    """A registered station, as a console shows it."""

    id: UUID
    community_id: UUID
    place_id: UUID
    position: Position
    name: str
    mac: str
    status: Status
    model: str
    fw: str
    comm_code: str
    reader_number: str | None
    presence: Presence
    since: datetime | None
    reason: str
    last_heard: datetime | None
    address: str
    created_at: datetime
    expires_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """A session of a station began (`up`) or ended."""

    at: datetime
    up: bool
    reason: str
    address: str


# Not the ORM: a station and its session have no relation but the MAC.
_STATION: Final = """
SELECT d.id, d.community_id, d.place_id, d.position, d.name, d.mac, d.last_mac, d.status, d.model,
    d.fw, d.comm_code, d.reader_number, d.created_at, d.expires_at, d.version,
    s.online, s.since, s.reason, s.heard_at, s.sess, s.address, s.fw AS session_fw
"""
_FROM: Final = """
FROM registry_device d LEFT JOIN registry_device_session s ON s.mac = d.mac
"""
_IS: Final = {
    Presence.ONLINE: "s.online AND s.sess <> '' AND s.heard_at >= ?",
    Presence.STALE: "s.online AND (s.sess = '' OR s.heard_at < ?)",
    Presence.OFFLINE: "(s.online IS NULL OR NOT s.online)",
}


async def station(
    device_id: UUID, now: datetime, *, stale_after: timedelta = STALE_AFTER
) -> Station | None:
    """One station. One statement."""
    rows = await sql.fetch(_STATION + _FROM + "WHERE d.id = ?", device_id)
    return _station(rows[0], now, stale_after) if rows else None


async def stations(
    communities: Collection[UUID] | None,
    now: datetime,
    *,
    search: str = "",
    status: Status | None = None,
    presence: Presence | None = None,
    position: Position | None = None,
    page: int = 1,
    size: int = 10,
    stale_after: timedelta = STALE_AFTER,
) -> tuple[list[Station], int]:
    """A page of the stations of communities, by name, and how many there are. Two statements.

    Args:
        communities: whose; None: every one.
        now: for presence.
        search: part of a name, a MAC (in any form) or a communication code.
        status: only these; None: all but the unbound.
        presence: only these; None: all.
        position: only these; None: all.
        page: from 1.
        size: rows a page.
        stale_after: see `Devices.stale_after`.
    """
    where, values = ["d.status <> 'unbound'"], list[object]()
    if status is not None:
        where, values = ["d.status = ?"], [status.value]
    if communities is not None:
        condition, value = sql.among("d.community_id", communities)
        where.append(condition)
        values.append(value)
    if presence is not None:
        where.append(_IS[presence])
        if "?" in _IS[presence]:
            values.append(now - stale_after)
    if position is not None:
        where.append("d.position = ?")
        values.append(position.value)
    if search:
        where.append(
            r"(lower(d.name) LIKE ? ESCAPE '\' OR d.last_mac LIKE ? ESCAPE '\'"
            r" OR lower(d.comm_code) LIKE ? ESCAPE '\')"
        )
        part = like(search)
        values += [part, like(plain_mac(search)), part]
    wanted = _FROM + "WHERE " + " AND ".join(where)
    total = (await sql.fetch("SELECT count(*) AS n" + wanted, *values))[0]["n"]
    rows = await sql.fetch(
        _STATION + wanted + " ORDER BY d.name, d.id LIMIT ? OFFSET ?",
        *values,
        size,
        (page - 1) * size,
    )
    return [_station(row, now, stale_after) for row in rows], total


async def timeline(
    mac: str, since: datetime, until: datetime, *, limit: int = 100
) -> Sequence[Change]:
    """When a station came and went in [since, until), the latest first. One statement."""
    rows = (
        await SessionLog.filter(mac=mac, at__gte=since, at__lt=until)
        .order_by("-at", "-epoch", "up")
        .limit(limit)
    )
    return [Change(row.at, row.up, row.reason, row.address) for row in rows]


def presence_of(row: sql.Row, now: datetime, stale_after: timedelta) -> Here:
    """Presence from `online`, `since`, `reason`, `sess` and `heard_at` of a session row."""
    since, heard_at = sql.when(row["since"]), sql.when(row["heard_at"])
    if row["online"] is None:
        return Here(Presence.OFFLINE, None, "never", None)
    if not row["online"]:
        return Here(Presence.OFFLINE, since, row["reason"], heard_at)
    if not row["sess"] or heard_at is None:
        return Here(Presence.STALE, since, "no_hello", heard_at)
    if heard_at < now - stale_after:
        return Here(Presence.STALE, heard_at + stale_after, "mute", heard_at)
    return Here(Presence.ONLINE, since, "", heard_at)


def plain_mac(part: str) -> str:
    """A part of a MAC as it is stored: without what people write between the digits."""
    return re.sub(r"[\s:.\-]", "", part) or part


def like(part: str) -> str:
    """The pattern for texts that hold `part`, lower case; a backslash escapes."""
    plain = part.replace("\0", "").lower()
    return "%" + re.sub(r"([%_\\])", r"\\\1", plain) + "%"


def _station(row: sql.Row, now: datetime, stale_after: timedelta) -> Station:
    here = presence_of(row, now, stale_after)
    return Station(
        **common(row, "id"),
        mac=row["mac"] or row["last_mac"],
        status=Status(row["status"]),
        model=row["model"],
        fw=row["session_fw"] or row["fw"],
        comm_code=row["comm_code"],
        reader_number=row["reader_number"],
        presence=here.presence,
        since=here.since,
        reason=here.reason,
        last_heard=here.last_heard,
        address=row["address"] or "",
        created_at=sql.moment(row["created_at"]),
        expires_at=sql.when(row["expires_at"]),
        version=row["version"],
    )


def common(row: sql.Row, id_name: str) -> dict[str, Any]:
    """What every row of a station has; its id under `id_name`."""
    return {
        id_name: sql.uid(row["id"]),
        "community_id": sql.uid(row["community_id"]),
        "place_id": sql.uid(row["place_id"]),
        "position": Position(row["position"]),
        "name": row["name"],
    }
