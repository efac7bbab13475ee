"""From a message of a station to rows: what we believe of it, and what we keep as it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from device_registry.devices.speakers import Speaker
from device_registry.link import Heard
from foundation.ids import new_id
from foundation.wire.base import BadMessage, canonical, load_object
from foundation.wire.events import BATCH, Event, EventBatch

AHEAD: Final = timedelta(minutes=2)
"""A trusted clock may be so far ahead of ours; one further ahead is not believed."""

EARLIEST: Final = datetime(2017, 1, 1, tzinfo=UTC)
"""No station is older; a clock before it was never set."""

UNREADABLE: Final = "unreadable"
"""Type of an event that has a number and nothing else that we understand."""

SAID: Final = ("boot", "type", "door", "result", "reason", "kind", "cid", "cmd_id")
"""Columns that come from the station alone: the same number must have the same ones."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of one station, read."""

    speaker: Speaker
    heard: Heard
    events: Sequence[Event]
    prev: int


def read(heard: Heard, speaker: Speaker) -> Message:
    """Read one batch of events, in order of `seq`.

    An event of which only the number can be read is kept as `unreadable`: it must not stand
    in the way of those behind it for ever.

    Raises:
        BadMessage: not a batch, or an event has not even a number.
    """
    payload = heard.payload
    if b"\\u0000" in payload:
        payload = _without_nul(payload)
    try:
        batch = EventBatch.parse(payload)
    except BadMessage:
        batch = _salvaged(load_object(payload))
    events = sorted(batch.events, key=lambda event: event.seq)
    prev = events[0].seq - 1 if batch.prev is None else batch.prev
    return Message(speaker, heard, events, prev)


def _without_nul(payload: bytes) -> bytes:
    """The same message without the character NUL, which PostgreSQL has no place for.

    Taken out of what was read, not of what was sent: there, what stands around an escape
    may become another one once it is gone.

    Raises:
        BadMessage: not an object, or nested too deeply.
    """
    return canonical(_plain(load_object(payload)))


def _plain(value: Any, levels: int = 8) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if not isinstance(value, dict | list):
        return value
    if not levels:
        raise BadMessage("nested too deeply")
    if isinstance(value, list):
        return [_plain(each, levels - 1) for each in value]
    return {name: _plain(each, levels - 1) for name, each in value.items()}


def _salvaged(body: dict[str, Any]) -> EventBatch:
    lines = body.get("events")
    if not isinstance(lines, list) or not 0 < len(lines) <= BATCH:
        raise BadMessage("not a batch of events")
    try:
        return EventBatch(events=tuple(map(_salvage, lines)), prev=body.get("prev"))
    except ValidationError:
        raise BadMessage("an event without a number") from None


def _salvage(line: Any) -> Event:
    try:
        return Event.model_validate(line)
    except ValidationError:
        seq = line.get("seq") if isinstance(line, dict) else None
        return Event.model_validate(
            {"seq": seq, "boot": 0, "ts": 0, "clk": "untrusted", "type": UNREADABLE}
        )


def row(message: Message, event: Event, opening: bool) -> dict[str, Any]:
    """The row of one event; `id` is set when it is known to be new."""
    at, clk = _time(event, message.heard.at)
    more = event.model_dump(
        mode="json",
        exclude_none=True,
        include={
            "value_hash", "call_id", "acl", "snap", "hold_ms", "duration_ms", "lost", "ts", "house",
        },
    )  # fmt: skip
    return {
        "device_id": message.speaker.device_id,
        "box": message.speaker.box,
        "community_id": message.speaker.community_id,
        "seq": event.seq,
        "boot": event.boot,
        "at": at,
        "clk": clk,
        "received_at": message.heard.at,
        "type": event.type,
        "door": event.door,
        "result": event.result,
        "reason": event.reason,
        "kind": event.kind,
        "cid": event.cid,
        "house_id": _uuid(event.house),
        "cmd_id": event.cmd_id,
        "opening": opening,
        "more": more,
    }


def with_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with ids that sort as the rows do, for those that have the same time."""
    ids = sorted(new_id() for _ in rows)
    return [{"id": id_, **row} for id_, row in zip(ids, rows, strict=True)]


def same(stored: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether two rows with the same number are the same event.

    What only one of them has was not understood by the version that read the other.
    """
    if UNREADABLE in (stored["type"], row["type"]):
        return True
    left, right = stored["more"], row["more"]
    return all(stored[name] == row[name] for name in SAID) and all(
        left[name] == right[name] for name in left.keys() & right.keys()
    )


def _time(event: Event, received: datetime) -> tuple[datetime, str]:
    """When it happened, and whether the station's clock says so."""
    if event.clk == "ok":
        at = _moment(event.ts)
        if at is not None and EARLIEST <= at <= received + AHEAD:
            return at, "ok"
    return received, "untrusted"


def _moment(ts: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(ts / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
