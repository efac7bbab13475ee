"""The journals of stations: stored once, then acknowledged (doors.md §5).

Acknowledged is what is stored without a hole, and nothing behind a hole: an engine may lose
a message and deliver the next, and a station forgets what is acknowledged. A station sends in
order of `seq`, its oldest first, and says with `prev` what it holds before a message; so a
message attaches when everything up to `prev` is stored, and a number missing inside a message
is one that the station itself has no longer (`gap`). A message that does not attach is stored
too; it is acknowledged when it comes again, behind the missing one. `hello.evt` says the
oldest event still held: what is below it, nobody can send any more.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from tortoise.transactions import in_transaction

from device_registry.devices import alarms, results
from device_registry.devices.logins import quarantine
from device_registry.devices.models import OpenCommand
from device_registry.devices.results import MOST_PULSED_MS, Settlement
from device_registry.devices.speakers import Speaker, dropped, known, speakers
from device_registry.devices.states import CommandState
from device_registry.journal import kinds, reading
from device_registry.journal.models import JournalHead
from device_registry.journal.reading import Message
from device_registry.link import DeviceLink, Heard
from foundation import sql
from foundation.errors import DomainError
from foundation.ids import Mac
from foundation.runner import Context
from foundation.wire import topics
from foundation.wire.events import Event, EventAck
from foundation.wire.hello import Hello

log = structlog.get_logger()

STORED = Counter("journal_events_total", "Events of stations stored, by family.", ["family"])
REPEATED = Counter("journal_events_repeated_total", "Events that were stored already.")
LAG = Histogram(
    "journal_lag_seconds",
    "From an event at a door, by a trusted clock, to its being heard.",
    buckets=(0.1, 0.3, 1, 3, 10, 60, 600, 3600, 86_400, 604_800),
)

_INSERT: Final = """
INSERT INTO registry_device_event (id, device_id, box, community_id, seq, boot, at, clk,
    received_at, type, door, result, reason, kind, cid, house_id, cmd_id, opening, more)
SELECT v.id, v.device_id, v.box, v.community_id, v.seq, v.boot, v.at, v.clk,
    v.received_at, v.type, v.door, v.result, v.reason, v.kind, v.cid, v.house_id, v.cmd_id,
    v.opening, v.more
FROM {v} WHERE true
ON CONFLICT (device_id, box, seq) DO NOTHING RETURNING device_id, seq
"""
_INSERT_COLUMNS: Final = {
    "id": "uuid",
    "device_id": "uuid",
    "box": "int",
    "community_id": "uuid",
    "seq": "bigint",
    "boot": "bigint",
    "at": "timestamptz",
    "clk": "text",
    "received_at": "timestamptz",
    "type": "text",
    "door": "smallint",
    "result": "text",
    "reason": "text",
    "kind": "text",
    "cid": "text",
    "house_id": "uuid",
    "cmd_id": "text",
    "opening": "boolean",
    "more": "jsonb",
}

_STORED: Final = """
SELECT e.device_id, e.seq, e.boot, e.clk, e.type, e.door, e.result, e.reason, e.kind, e.cid,
    e.cmd_id, e.more
FROM {v} JOIN registry_device_event e
    ON e.device_id = v.device_id AND e.box = v.box AND e.seq = v.seq
"""
_KEY_COLUMNS: Final = {"device_id": "uuid", "box": "int", "seq": "bigint"}

_HEADS: Final = """
INSERT INTO registry_journal_head (device_id, box, upto)
SELECT v.device_id, v.box, v.upto FROM {v} WHERE true
ON CONFLICT (device_id) DO UPDATE SET box = excluded.box, upto = excluded.upto
"""
_HEAD_COLUMNS: Final = {"device_id": "uuid", "box": "int", "upto": "bigint"}

Key = tuple[UUID, int]
"""A station and a number."""


async def heard(context: Context, batch: Sequence[Heard]) -> None:
    """Stations send events: store what is new, settle commands, then acknowledge.

    Four statements, whatever the number of stations and events; one more when events name
    commands, one when some come again, and what settling costs. A station that gives a
    number to another event than before is a copy, or the original of one: quarantine, and
    no acknowledgement.
    """
    who = await speakers(context, {message.mac for message in batch})
    messages = list(_read(batch, who))
    if not messages:
        return
    async with in_transaction():
        commands = await _commands(messages)
        rows, forged = _rows(messages, commands)
        new = await _store(rows)
        forged |= await _differing(rows, new)
        changed = await results.settle(context, _settlements(messages, commands))
        upto = await _advance(messages, forged)
    results.told(context, changed)
    _count(rows, new)
    if any(rows[key]["opening"] for key in new):
        context.wake.kick("openings")
    await _acknowledge(context, messages, upto)
    for mac in {message.speaker.mac for message in messages if message.speaker.device_id in forged}:
        await quarantine(context, mac, "its journal used a number twice")


async def compare(context: Context, hellos: Sequence[tuple[Speaker, Hello]]) -> None:
    """Stations said how far their journals go: one that ends before what we hold is a copy.

    One statement. An empty journal (0) says nothing; nor does a hello that comes again: the
    journal has gone on since it was written.
    """
    said = {
        speaker.device_id: (speaker, hello.evt[1])
        for speaker, hello in hellos
        if hello.evt[1] and hello.sess != speaker.sess
    }
    if not said:
        return
    for head in await JournalHead.filter(device_id__in=list(said)):
        speaker, last = said[head.device_id]
        if head.box == speaker.box and alarms.journal_went_back(head.upto, last):
            await quarantine(context, speaker.mac, "its journal went back")


def _read(batch: Sequence[Heard], who: dict[Mac, Speaker]) -> Iterable[Message]:
    for message in batch:
        try:
            yield reading.read(message, known(who, message.mac))
        except DomainError as error:
            dropped("evt", message.mac, error)


async def _commands(messages: Sequence[Message]) -> dict[str, UUID]:
    """Which station each command was for that an event names."""
    ids = {event.cmd_id for message in messages for event in message.events if event.cmd_id}
    if not ids:
        return {}
    return dict(await OpenCommand.filter(id__in=list(ids)).values_list("id", "device_id"))


def _rows(
    messages: Sequence[Message], commands: dict[str, UUID]
) -> tuple[dict[Key, dict[str, Any]], set[UUID]]:
    """A row for every number, and the stations that use one for two events in this batch."""
    rows: dict[Key, dict[str, Any]] = {}
    forged: set[UUID] = set()
    for message in messages:
        device = message.speaker.device_id
        for event in message.events:
            # An opening by command is listed as its command, once, and not as its event.
            opening = event.type in kinds.OPENINGS and commands.get(event.cmd_id or "") != device
            row = reading.row(message, event, opening)
            held = rows.setdefault((device, event.seq), row)
            if held is not row and not reading.same(held, row):
                forged.add(device)
    return rows, forged


async def _store(rows: dict[Key, dict[str, Any]]) -> set[Key]:
    """Insert what is not there yet; says what was new. One statement."""
    stored = await sql.over(_INSERT, _INSERT_COLUMNS, reading.with_ids(list(rows.values())))
    return {(UUID(str(row["device_id"])), row["seq"]) for row in stored}


async def _differing(rows: dict[Key, dict[str, Any]], new: set[Key]) -> set[UUID]:
    """The stations whose repeated events are not what is stored. One statement, or none."""
    again = [
        {"device_id": device, "box": row["box"], "seq": seq}
        for (device, seq), row in rows.items()
        if (device, seq) not in new
    ]
    if not again:
        return set()
    forged = set()
    for stored in await sql.over(_STORED, _KEY_COLUMNS, again):
        key = UUID(str(stored["device_id"])), stored["seq"]
        stored["more"] = sql.unpacked(stored["more"])
        if not reading.same(stored, rows[key]):
            forged.add(key[0])
    return forged


def _settlements(messages: Sequence[Message], commands: dict[str, UUID]) -> Iterable[Settlement]:
    """What the journal says of commands that were never answered."""
    for message in messages:
        for event in message.events:
            if event.cmd_id in commands and (state := _state(event)) is not None:
                yield Settlement(
                    id=event.cmd_id or "",
                    state=state,
                    code=_code(event, state),
                    at=message.heard.at,
                    pulsed_ms=min(event.hold_ms or 0, MOST_PULSED_MS),
                    journal_seq=event.seq,
                    actor=f"device/{message.speaker.mac}",
                    device_id=message.speaker.device_id,
                )


def _state(event: Event) -> CommandState | None:
    if event.type not in ("remote.open", "remote.refused"):
        return None
    if event.type == "remote.refused":
        return CommandState.REFUSED
    # The power went between the intent and the relay: the station itself does not know.
    return CommandState.UNKNOWN if event.result == kinds.UNKNOWN else CommandState.EXECUTED


def _code(event: Event, state: CommandState) -> str:
    if state is CommandState.EXECUTED:
        return "ok"
    return (event.reason or event.result or "")[:24]


async def _advance(messages: Sequence[Message], forged: set[UUID]) -> dict[UUID, int]:
    """How far each journal is stored without a hole, written down. Two statements at most."""
    devices = {message.speaker.device_id: message.speaker for message in messages}
    heads = {head.device_id: head for head in await JournalHead.filter(device_id__in=list(devices))}
    # In its hello the station said what it has no longer; of this session, that counts.
    said = {
        message.speaker.device_id
        for message in messages
        if message.heard.epoch == message.speaker.epoch
    }
    upto: dict[UUID, int] = {}
    for device, speaker in devices.items():
        head = heads.get(device)
        stored = head.upto if head is not None and head.box == speaker.box else 0
        upto[device] = max(stored, speaker.evt_first - 1 if device in said else 0)
    for message in messages:
        device = message.speaker.device_id
        if message.prev <= upto[device]:
            upto[device] = max(upto[device], message.events[-1].seq)
    for device in forged:
        del upto[device]
    moved = [
        {"device_id": device, "box": devices[device].box, "upto": reached}
        for device, reached in upto.items()
        if device not in heads
        or (heads[device].box, heads[device].upto) != (devices[device].box, reached)
    ]
    if moved:
        await sql.over(_HEADS, _HEAD_COLUMNS, moved)
    return upto


async def _acknowledge(
    context: Context, messages: Sequence[Message], upto: dict[UUID, int]
) -> None:
    """After COMMIT. Never further than the station has sent: it may have forgotten more."""
    sent: dict[UUID, tuple[Speaker, int]] = {}
    for message in messages:
        device = message.speaker.device_id
        _, last = sent.get(device, (message.speaker, 0))
        sent[device] = message.speaker, max(last, message.events[-1].seq)
    link = context.need(DeviceLink)
    for device, (speaker, last) in sent.items():
        reached = min(upto.get(device, 0), last)
        try:
            keys = speaker.key_in_use()
        except DomainError as error:  # no hello yet: it sends again, and then it is known
            dropped("evt", speaker.mac, error)
            continue
        if reached:
            ack = EventAck(upto=reached).sign(keys.dn, speaker.mac)
            await link.send(speaker.mac, topics.down(speaker.mac, "evtack"), ack, qos=1)


def _count(rows: dict[Key, dict[str, Any]], new: set[Key]) -> None:
    REPEATED.inc(len(rows) - len(new))
    for key in new:
        row = rows[key]
        STORED.labels(kinds.family(row["type"])).inc()
        if row["clk"] == "ok":
            LAG.observe(max(_seconds(row["received_at"], row["at"]), 0))


def _seconds(later: datetime, earlier: datetime) -> float:
    return (later - earlier) / timedelta(seconds=1)
