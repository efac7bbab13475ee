"""Opening a door: the one way for every room (R1-R9; decision 0005).

A command is written, committed, sent once, and never again: not kept for a station that is
away, not repeated when no answer comes. What became of it is said by the station alone.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from prometheus_client import Histogram
from tortoise.exceptions import IntegrityError

from device_registry.devices import results
from device_registry.devices.admission import Opening
from device_registry.devices.issuing import issue
from device_registry.devices.models import OpenCommand
from device_registry.devices.results import Settlement
from device_registry.devices.states import CommandState
from device_registry.link import Delivery, DeviceLink
from foundation.errors import DomainError, Kind
from foundation.ids import Mac, new_ulid
from foundation.runner import Context
from foundation.wire import topics

__all__ = ["Opening", "Outcome", "RequestKeyReused", "open", "outcome"]

log = structlog.get_logger()

SECONDS = Histogram(
    "door_open_seconds",
    "From the wish to open to the answer, by state.",
    ["state"],
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.25, 0.5, 1, 2, 5, 7.5),
)

_LOOK_SECONDS: Final = 1.0


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


# Held from counter to send, so that the commands of one door leave this process in the order
# of their counters, and one connection to the database, not all, waits for a busy door.
_doors: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()


async def open(context: Context, opening: Opening) -> Outcome:  # noqa: A001  (the product's word)
    """Open a door; answers when the station has, or when it is too late for an answer.

    Not inside a transaction: the command is committed before it is sent. Seven statements
    until it is sent (one more with a `request_key`, two locks on PostgreSQL), one to read
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
        ready = await issue(context, opening, command_id)
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


async def _awaited(context: Context, command: OpenCommand) -> Outcome:
    """The outcome of a command that somebody else sent."""
    if command.state is not CommandState.SENT:
        return _outcome(command)
    with context.wake.listen(f"command/{command.id}") as answered:
        answered.set()  # it may have been answered before we listened
        return await _settled(context, command, answered)


async def _settled(context: Context, command: OpenCommand, answered: asyncio.Event) -> Outcome:
    """Wait until the station has answered, or cannot any more; then say so.

    Looks when woken, and every second: a wake-up between processes can be lost.
    """
    loop = asyncio.get_running_loop()
    left = command.deadline + context.settings.devices.open_grace - context.clock()
    until = loop.time() + left.total_seconds()
    while loop.time() < until:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(until, loop.time() + _LOOK_SECONDS)):
                await answered.wait()
        answered.clear()
        command = await OpenCommand.get(id=command.id)
        if command.state is not CommandState.SENT:
            return _outcome(command)
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
