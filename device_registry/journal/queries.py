"""开门记录: who opened which door, or tried to; commands and journal events in one list."""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from device_registry.devices.queries import like, plain_mac
from device_registry.journal import kinds
from foundation import sql
from foundation.errors import DomainError, Kind

Outcome = Literal["sent", "executed", "refused", "offline", "unknown", "granted", "denied"]
Method = Literal["remote", "card", "fp", "pin", "ble", "button", "call"]

WIDEST: Final = timedelta(days=366)
MOST: Final = 100


class BadCursor(DomainError):
    """The cursor is not one that an earlier page gave."""

    kind, code, title = Kind.INVALID, "bad-record-cursor", "Not a place in the list"
    title_zh = "分页位置无效"


class BadPeriod(DomainError):
    """The time asked for is empty, or longer than a year."""

    kind, code, title = Kind.INVALID, "bad-period", "Not a possible period"
    title_zh = "时间范围无效"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Which records: those of `communities`, and those in the name of `houses`.

    The rest narrows. `search` is part of a station's name, its MAC, or a credential's id.
    Times are [since, until), a year at most.
    """

    communities: Collection[UUID] | None
    """None: of every community there is."""
    houses: Mapping[UUID, datetime] = field(default_factory=dict)
    """Each from the time at which whoever asks began to live there."""
    since: datetime
    until: datetime
    community_id: UUID | None = None
    house_id: UUID | None = None
    device_id: UUID | None = None
    outcome: Outcome | None = None
    method: Method | None = None
    search: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One opening, or attempt. A command has `by_kind` and `by_id`, an event may have `cid`."""

    id: str
    source: Literal["command", "event"]
    at: datetime
    community_id: UUID
    device_id: UUID
    device_name: str
    door: int
    method: str
    outcome: str
    code: str
    """Why not, or `ok`."""
    house_id: UUID | None
    by_kind: str
    by_id: UUID | None
    reason: str
    cid: str | None
    settled_at: datetime | None
    """Of an event: when it reached us."""


def _choose(column: str, choices: dict[str, str], otherwise: str) -> str:
    cases = " ".join(f"WHEN '{key}' THEN '{value}'" for key, value in choices.items())
    return f"CASE {column} {cases} ELSE {otherwise} END"


_METHOD_OF: Final = {
    "command": "CASE WHEN r.call_id IS NULL THEN 'remote' ELSE 'call' END",
    "event": _choose("r.type", kinds.METHODS, "coalesce(r.kind, '')"),
}
_OUTCOME_OF: Final = {
    "command": "r.state",
    "event": "CASE WHEN r.result = 'unknown' THEN 'unknown' ELSE "
    + _choose("r.type", kinds.OPENINGS, "''")
    + " END",
}
_TABLE: Final = {"command": "registry_open_command", "event": "registry_device_event"}
_OWN: Final = {
    "command": "r.code, r.by_kind, r.by_id, r.reason, CAST(NULL AS text) AS cid, r.settled_at",
    "event": "coalesce(r.reason, r.result, '') AS code, '' AS by_kind, CAST(NULL AS uuid) AS by_id,"
    " '' AS reason, r.cid, r.received_at AS settled_at",
}


async def records(
    wanted: RecordFilter, *, before: str | None = None, limit: int = 10
) -> tuple[list[Record], str | None]:
    """A page of records, the latest first, and where the next begins. One statement.

    A remote opening is one record: its command, which its event in the journal settles.

    Args:
        wanted: which.
        before: where an earlier page ended; None: from the latest.
        limit: rows, 100 at most.

    Raises:
        BadCursor: `before` is not from an earlier page.
        BadPeriod: the times are empty or too far apart.
    """
    limit = max(1, min(limit, MOST))
    if not timedelta() < wanted.until - wanted.since <= WIDEST:
        raise BadPeriod(f"{wanted.since:%F} to {wanted.until:%F}")
    if wanted.communities is not None and not (wanted.communities or wanted.houses):
        return [], None
    after = _cursor(before) if before is not None else None
    branches, values = [], list[object]()
    for source in ("command", "event"):
        text, own = _branch(source, wanted, after, limit + 1)
        branches.append(text)
        values += own
    both = " UNION ALL ".join(branches)
    rows = await sql.fetch(
        f"SELECT * FROM ({both}) AS u ORDER BY u.at DESC, u.record_id DESC LIMIT ?",  # noqa: S608
        *values,
        limit + 1,
    )
    found = [_record(row) for row in rows[:limit]]
    more = len(rows) > limit
    return found, (_text(found[-1].at, found[-1].id) if more else None)


def _branch(
    source: str, wanted: RecordFilter, after: tuple[datetime, str] | None, limit: int
) -> tuple[str, list[object]]:
    """The newest `limit` rows of one table: an index by scope and time ends it early."""
    where, values = ["r.at >= ?", "r.at < ?"], list[object]([wanted.since, wanted.until])
    if source == "event":
        where.append("r.opening")
    for column, value in (
        ("r.community_id", wanted.community_id),
        ("r.house_id", wanted.house_id),
        ("r.device_id", wanted.device_id),
        (_OUTCOME_OF[source], wanted.outcome),
        (_METHOD_OF[source], wanted.method),
    ):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    if wanted.communities is not None:
        condition, own = _scope(wanted.communities, wanted.houses)
        where.append(condition)
        values += own
    if wanted.search:
        part, columns = like(wanted.search), ["lower(d.name)", "d.last_mac"]
        values += [part, like(plain_mac(wanted.search))]
        if source == "event":
            columns.append("lower(r.cid)")
            values.append(part)
        where.append("(" + " OR ".join(rf"{name} LIKE ? ESCAPE '\'" for name in columns) + ")")
    if after is not None:
        where.append("(r.at < ? OR (r.at = ? AND CAST(r.id AS text) < ?))")
        values += [after[0], after[0], after[1]]
    text = (
        f"SELECT * FROM (SELECT CAST(r.id AS text) AS record_id, '{source}' AS source, r.at,"  # noqa: S608
        f" r.community_id, r.device_id, d.name AS device_name, r.door, r.house_id,"
        f" {_METHOD_OF[source]} AS method, {_OUTCOME_OF[source]} AS outcome, {_OWN[source]}"
        f" FROM {_TABLE[source]} r JOIN registry_device d ON d.id = r.device_id"
        f" WHERE {' AND '.join(where)} ORDER BY r.at DESC, CAST(r.id AS text) DESC LIMIT ?"
        f") AS {source}s"
    )
    return text, [*values, limit]


def _scope(
    communities: Collection[UUID], houses: Mapping[UUID, datetime]
) -> tuple[str, list[object]]:
    """The condition for what may be seen at all, and its values."""
    parts, values = [], list[object]()
    if communities:
        condition, value = sql.among("r.community_id", communities)
        parts.append(condition)
        values.append(value)
    for house_id, began in houses.items():
        parts.append("(r.house_id = ? AND r.at >= ?)")
        values += [house_id, began]
    return f"({' OR '.join(parts)})", values


def _record(row: sql.Row) -> Record:
    return Record(
        id=row["record_id"],
        source=row["source"],
        at=sql.moment(row["at"]),
        community_id=UUID(str(row["community_id"])),
        device_id=UUID(str(row["device_id"])),
        device_name=row["device_name"],
        door=row["door"],
        method=row["method"],
        outcome=row["outcome"],
        code=row["code"],
        house_id=sql.uid(row["house_id"]),
        by_kind=row["by_kind"],
        by_id=sql.uid(row["by_id"]),
        reason=row["reason"],
        cid=row["cid"],
        settled_at=sql.when(row["settled_at"]),
    )


def _text(at: datetime, id_: str) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{id_}".encode()).decode().rstrip("=")


def _cursor(text: str) -> tuple[datetime, str]:
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        at, _, id_ = plain.partition("|")
        moment = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError, binascii.Error):
        raise BadCursor(text[:40]) from None
    if not id_ or len(id_) > 36 or "\0" in id_:
        raise BadCursor(text[:40])
    return moment, id_
