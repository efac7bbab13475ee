"""Reads of doors: what somebody may open from afar, by its grants or as staff."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from device_registry.devices.queries import STALE_AFTER, Presence, common, like, presence_of
from device_registry.devices.states import Position
from foundation import sql

MOST_DOORS: Final = 500
"""More doors than that nobody has; a list must end somewhere."""


@dataclass(frozen=True, slots=True)
class Door:
    """A station that somebody may open from afar, in the name of one house; staff in none."""

    device_id: UUID
    community_id: UUID
    place_id: UUID
    house_id: UUID | None
    position: Position
    name: str
    presence: Presence
    since: datetime | None
    reason: str


_DOOR: Final = """
SELECT d.id, d.community_id, d.place_id, d.position, d.name, r.house_id,
    s.online, s.since, s.reason, s.heard_at, s.sess
"""
_OF_DOORS: Final = """
FROM ({rights}) AS r
    JOIN registry_device d ON d.id = r.device_id
    LEFT JOIN registry_device_session s ON s.mac = d.mac
"""
_RIGHTS: Final = """
SELECT t.id AS device_id, g.house_id
FROM registry_remote_grant g JOIN registry_device t ON t.place_id = g.place_id
WHERE t.status = 'active' AND g.person_id = ?
    AND (g.valid_from IS NULL OR g.valid_from <= ?) AND (g.valid_to IS NULL OR g.valid_to > ?)
    AND NOT EXISTS (SELECT 1 FROM registry_remote_suspension p WHERE p.person_id = g.person_id)
"""
_AS_STAFF: Final = """
UNION ALL SELECT t.id AS device_id, CAST(NULL AS uuid) AS house_id
FROM registry_device t WHERE t.status = 'active'
"""
_DOORS_BY_NAME: Final = " ORDER BY d.name, d.id, r.house_id LIMIT ?"


async def doors_of(
    person_id: UUID, now: datetime, *, stale_after: timedelta = STALE_AFTER
) -> list[Door]:
    """What this person may open now, by name, once for every house. One statement."""
    statement = _DOOR + _OF_DOORS.format(rights=_RIGHTS) + _DOORS_BY_NAME
    rows = await sql.fetch(statement, person_id, now, now, MOST_DOORS)
    return [_door(row, now, stale_after) for row in rows]


async def doors(
    person_id: UUID,
    staff_of: Collection[UUID] | None,
    now: datetime,
    *,
    communities: Collection[UUID] | None = None,
    search: str = "",
    page: int = 1,
    size: int = 10,
    stale_after: timedelta = STALE_AFTER,
) -> tuple[list[Door], int]:
    """A page of what this person may open now, by name, and how much that is. Two statements.

    Args:
        person_id: whose rights: once for every house.
        staff_of: the communities whose active stations it opens as staff; None: every one.
        now: for rights and presence.
        communities: only there; None: everywhere.
        search: part of a name.
        page: from 1.
        size: rows a page.
        stale_after: see `Devices.stale_after`.
    """
    rights, values = _RIGHTS, list[object]([person_id, now, now])
    if staff_of is None:
        rights += _AS_STAFF
    elif staff_of:
        condition, value = sql.among("t.community_id", staff_of)
        rights += f"{_AS_STAFF} AND {condition}"
        values.append(value)
    where = ["true"]
    if communities is not None:
        condition, value = sql.among("d.community_id", communities)
        where.append(condition)
        values.append(value)
    if search:
        where.append(r"lower(d.name) LIKE ? ESCAPE '\'")
        values.append(like(search))
    wanted = f"{_OF_DOORS.format(rights=rights)} WHERE {' AND '.join(where)}"
    total = (await sql.fetch("SELECT count(*) AS n" + wanted, *values))[0]["n"]
    rows = await sql.fetch(
        f"{_DOOR}{wanted}{_DOORS_BY_NAME} OFFSET ?", *values, size, (page - 1) * size
    )
    return [_door(row, now, stale_after) for row in rows], total


def _door(row: sql.Row, now: datetime, stale_after: timedelta) -> Door:
    here = presence_of(row, now, stale_after)
    return Door(
        **common(row, "device_id"),
        house_id=sql.uid(row["house_id"]),
        presence=here.presence,
        since=here.since,
        reason=here.reason,
    )
