"""Opening a door: the one way for every room (R1-R9; decision 0005).

A command is written, committed, sent once, and never again: not kept for a station that is
away, not repeated when no answer comes. What became of it is said by the station alone.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from prometheus_client import Histogram
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from device_registry import sql
from device_registry.devices import results
from device_registry.devices.admission import DoorNotFound, Opening, Verdict, judge
from device_registry.devices.models import Device, OpenCommand
from device_registry.devices.results import Settlement
from device_registry.devices.secrets import keys_of
from device_registry.devices.states import CommandState
from device_registry.link import Delivery, DeviceLink
from foundation import audit
from foundation.errors import DomainError, Kind
from foundation.ids import Mac, new_ulid
from foundation.runner import Context
from foundation.wire import topics
from foundation.wire.command import By, Command

__all__ = ["Opening", "Outcome", "RequestKeyReused", "open", "outcome"]

log = structlog.get_logger()

SECONDS = Histogram(
    "door_open_seconds",
    "From the wish to open to the answer, by state.",
    ["state"],
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.25, 0.5, 1, 2, 5, 7.5),
)

NO_KEY: Final = "no_key"
"""Code of OFFLINE: connected, but with a secret that is over; it must log in anew."""


class RequestKeyReused(DomainError):
    """The request key was used before, for another opening."""

    kind, code, title = Kind.CONFLICT, "request-key-reused", "The key names another opening"
    title_zh = "该请求标识已用于另一次开门"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one opening."""

    id: str
    state: CommandState
    code: str
    """The station's (`foundation.wire.command.Code`) or ours (`admission`)."""
    device_id: UUID
    at: datetime
    settled_at: datetime | None
    pulsed_ms: int
    community_id: UUID
    by_id: UUID
    house_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A written command, and what to send; no payload: nothing is sent."""

    command: OpenCommand
    payload: bytes | None = None


# Held from counter to send, so that the commands of one door leave this process in the order
# of their counters, and one connection to the database, not all, waits for a busy door.
_doors: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()


async def open(context: Context, opening: Opening) -> Outcome:  # noqa: A001  (the product's word)
    """Open a door; answers when the station has, or when it is too late for an answer.

    Not inside a transaction: the command is committed before it is sent. Eight statements
    until it is sent (two more with a `request_key`, two locks on PostgreSQL), one to read
    the outcome.

    Raises:
        DoorNotFound: no such door for this person.
        RequestKeyReused: the key is that of another opening.
        TooManyOpens: refused so often lately that nothing is written any more.
    """
    began = asyncio.get_running_loop().time()
    if opening.request_key is not None and (earlier := await _same_request(opening)):
        return await _awaited(context, earlier)
    command_id = new_ulid()
    with context.wake.listen(f"command/{command_id}") as answered:
        try:
            command = await _sent(context, opening, command_id)
        except IntegrityError:  # the same request came in between
            earlier = await _same_request(opening)
            if earlier is None:
                raise
            return await _awaited(context, earlier)
        if command.state is CommandState.SENT:
            outcome = await _settled(context, command, answered)
        else:
            results.told(context, {command_id: command.state})
            outcome = _outcome(command)
    SECONDS.labels(outcome.state.value).observe(asyncio.get_running_loop().time() - began)
    log.info("door.open.answered", command=command_id, state=outcome.state, code=outcome.code)
    return outcome


async def outcome(command_id: str) -> Outcome | None:
    """What became of a command so far. One statement."""
    command = await OpenCommand.get_or_none(id=command_id)
    return _outcome(command) if command else None


async def _sent(context: Context, opening: Opening, command_id: str) -> OpenCommand:
    lock = _doors.setdefault(opening.device_id, asyncio.Lock())
    async with lock:
        ready = await _written(context, opening, command_id)
        command = ready.command
        if ready.payload is None:
            return command
        mac = Mac(command.mac)
        link = context.need(DeviceLink)
        delivery = await link.send(mac, topics.command(mac), ready.payload, qos=0)
    if delivery is Delivery.OFFLINE:
        await _settle(context, command.id, CommandState.OFFLINE)
        command = await OpenCommand.get(id=command.id)
    return command


async def _written(context: Context, opening: Opening, command_id: str) -> _Ready:
    """Authorise, number, write and audit one command, in one transaction."""
    limits = context.settings.devices
    async with in_transaction():
        await sql.serialise(f"opens/{opening.by_id}", f"opens/{opening.device_id}")
        now = context.clock()
        device = await Device.get_or_none(id=opening.device_id)
        if device is None:
            raise DoorNotFound(f"door {opening.device_id}")
        verdict = await judge(opening, device, now, limits)
        command = _row(command_id, opening, device, verdict, now=now, deadline=limits.open_deadline)
        ready = _Ready(command)
        if verdict.code:
            command.state, command.code = CommandState.REFUSED, verdict.code
        else:
            ready = await _numbered(context, command, device)
        if command.state is not CommandState.SENT:
            command.settled_at = now
        await command.save(force_create=True)
        await audit.append_all([_line(command, opening)], clock=context.clock)
    return ready


_NUMBER: Final = """
UPDATE registry_device_session SET ctr = ctr + 1 WHERE mac = ? AND online AND sess <> ''
RETURNING sess, ctr, up_ms, heard_at, secret_ver
"""


async def _numbered(context: Context, command: OpenCommand, device: Device) -> _Ready:
    """Take the next counter of the live session and sign; OFFLINE when there is none."""
    rows = await sql.fetch(_NUMBER, command.mac)
    if not rows:
        command.state = CommandState.OFFLINE
        return _Ready(command)
    session = rows[0]
    keys = keys_of(context.keyring, device, command.at).get(session["secret_ver"])
    if keys is None:
        command.state, command.code = CommandState.OFFLINE, NO_KEY
        return _Ready(command)
    command.sess, command.ctr = session["sess"], session["ctr"]
    # The station's own uptime at the deadline. It heard_at is when its word arrived, so the
    # way it travelled makes this early, never late; so does a clock of ours that went back.
    heard_at = sql.when(session["heard_at"]) or command.at
    ahead = max(command.at - heard_at, timedelta()) + (command.deadline - command.at)
    message = Command(
        id=command.id,
        door=command.door,
        hold=context.settings.devices.hold,
        sess=command.sess,
        ctr=command.ctr,
        exp_up=min(session["up_ms"] + int(ahead / timedelta(milliseconds=1)), 2**53),
        by=By(
            t="admin" if command.by_kind == "admin" else "resident",
            ref=str(command.by_id),
            house=str(command.house_id) if command.house_id else None,
        ),
    )
    return _Ready(command, message.sign(keys.cmd, Mac(command.mac)))


async def _awaited(context: Context, command: OpenCommand) -> Outcome:
    """The outcome of a command that somebody else sent."""
    if command.state is not CommandState.SENT:
        return _outcome(command)
    with context.wake.listen(f"command/{command.id}") as answered:
        return await _settled(context, command, answered)


async def _settled(context: Context, command: OpenCommand, answered: asyncio.Event) -> Outcome:
    """Wait until the station has answered, or cannot any more; then say so."""
    loop = asyncio.get_running_loop()
    left = command.deadline + context.settings.devices.open_grace - context.clock()
    until = loop.time() + left.total_seconds()
    while (left_s := until - loop.time()) > 0:
        answered.clear()
        command = await OpenCommand.get(id=command.id)
        if command.state is not CommandState.SENT:
            return _outcome(command)
        try:
            async with asyncio.timeout(left_s):
                await answered.wait()
        except TimeoutError:
            break
    await _settle(context, command.id, CommandState.UNKNOWN)
    return _outcome(await OpenCommand.get(id=command.id))


async def _settle(context: Context, command_id: str, state: CommandState) -> None:
    news = Settlement(id=command_id, state=state, at=context.clock())
    results.told(context, await results.settle(context, [news]))


async def _same_request(opening: Opening) -> OpenCommand | None:
    """The command of the same person with the same key.

    Raises:
        RequestKeyReused: it is another opening.
    """
    if opening.request_key is None:
        return None
    command = await OpenCommand.get_or_none(by_id=opening.by_id, request_key=opening.request_key)
    if command is not None and (
        command.device_id != opening.device_id
        or command.door != opening.door
        or command.reason != opening.reason
        or (opening.house_id is not None and command.house_id not in (opening.house_id, None))
    ):
        raise RequestKeyReused(f"command {command.id}", command_id=command.id)
    return command


def _row(
    command_id: str,
    opening: Opening,
    device: Device,
    verdict: Verdict,
    *,
    now: datetime,
    deadline: timedelta,
) -> OpenCommand:
    return OpenCommand(
        id=command_id,
        device_id=device.id,
        community_id=device.community_id,
        mac=device.mac or device.last_mac,
        door=opening.door,
        state=CommandState.SENT,
        by_kind=opening.by_kind,
        by_id=opening.by_id,
        house_id=verdict.house_id,
        request_key=opening.request_key,
        reason=opening.reason,
        address=opening.address[:64],
        app=opening.app[:64],
        at=now,
        deadline=now + deadline,
    )


def _line(command: OpenCommand, opening: Opening) -> audit.Line:
    facts: dict[str, Any] = {
        "command": command.id,
        "state": command.state.value,
        "code": command.code,
        "by": command.by_kind,
        "house": str(command.house_id) if command.house_id else None,
        "door": command.door,
        "session": opening.session,
        "address": command.address,
        "app": command.app,
        "reason": command.reason,
    }
    return audit.Line(
        actor=f"account/{command.by_id}",
        action="door.open",
        object=f"device/{command.device_id}",
        community_id=command.community_id,
        facts=facts,
    )


def _outcome(command: OpenCommand) -> Outcome:
    return Outcome(
        id=command.id,
        state=command.state,
        code=command.code,
        device_id=command.device_id,
        at=command.at,
        settled_at=command.settled_at,
        pulsed_ms=command.pulsed_ms,
        community_id=command.community_id,
        by_id=command.by_id,
        house_id=command.house_id,
    )
