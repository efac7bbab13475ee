"""One command to open: authorised, numbered, signed, written and audited, all or nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tortoise.transactions import in_transaction

from device_registry.devices.admission import DoorNotFound, Opening, Verdict, judge
from device_registry.devices.models import Device, OpenCommand
from device_registry.devices.secrets import keys_of
from device_registry.devices.states import CommandState
from foundation import audit, sql
from foundation.ids import Mac
from foundation.runner import Context
from foundation.security import same
from foundation.wire.command import By, Command
from foundation.wire.hello import uptime_proof

NO_KEY: Final = "no_key"
"""Code of OFFLINE: connected, but with a secret that is over; it must log in anew."""

NO_UPTIME: Final = "no_uptime"
"""Code of OFFLINE: connected, but for too long without a proven word of its uptime."""

_EXACT: Final = timedelta(hours=1)
"""In which two cheap clocks (100 ppm) drift less than half a second apart."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A written command, and what to send; no payload: nothing is sent."""

    command: OpenCommand
    payload: bytes | None = None


async def issue(context: Context, opening: Opening, command_id: str) -> Ready:
    """Authorise, number, write and audit one command, in one transaction.

    Raises:
        DoorNotFound: no such door for this person.
        TooManyOpens: refused so often lately that nothing is written any more.
        IntegrityError: the same person used the same request key before.
    """
    limits = context.settings.devices
    async with in_transaction():
        await sql.serialise(f"opens/{opening.by_id}", f"opens/{opening.device_id}")
        now = context.clock()
        device = await Device.get_or_none(id=opening.device_id)
        if device is None:
            raise DoorNotFound(f"door {opening.device_id}")
        verdict = await judge(opening, device, now, limits)
        command = _row(command_id, opening, device, verdict, now=now, deadline=limits.open_deadline)
        ready = Ready(command)
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
RETURNING sess, ctr, up_ms, heard_at, secret_ver, heartbeat, hello_up_ms, hello_at
"""


async def _numbered(context: Context, command: OpenCommand, device: Device) -> Ready:
    """Take the next counter of the live session and sign; OFFLINE when there is none."""
    rows = await sql.fetch(_NUMBER, command.mac)
    if not rows:
        command.state = CommandState.OFFLINE
        return Ready(command)
    session = rows[0]
    keys = keys_of(context.keyring, device, command.at).get(session["secret_ver"])
    if keys is None:
        command.state, command.code = CommandState.OFFLINE, NO_KEY
        return Ready(command)
    command.sess, command.ctr = session["sess"], session["ctr"]
    # The station's own uptime at the deadline (R4). `heard_at` is when its word arrived, so
    # the way it travelled makes this early, never late; so does a clock of ours set back.
    up_ms, heard_at = _uptime(session, keys.up, Mac(command.mac), command.at)
    if command.at - heard_at > _EXACT:
        command.state, command.code = CommandState.OFFLINE, NO_UPTIME
        return Ready(command)
    ahead = max(command.at - heard_at, timedelta()) + (command.deadline - command.at)
    message = Command(
        id=command.id,
        door=command.door,
        hold=context.settings.devices.hold,
        sess=command.sess,
        ctr=command.ctr,
        exp_up=min(up_ms + int(ahead / timedelta(milliseconds=1)), 2**53),
        by=By(
            t="admin" if command.by_kind == "admin" else "resident",
            ref=str(command.by_id),
            house=str(command.house_id) if command.house_id else None,
        ),
    )
    return Ready(command, message.sign(keys.cmd, Mac(command.mac)))


def _uptime(session: sql.Row, key: bytes, mac: Mac, now: datetime) -> tuple[int, datetime]:
    """The newest uptime that the station proved, and when we heard it.

    Looked at here, and not for every heartbeat, of which few are followed by a command.
    Who sits on the line could otherwise name a later uptime, and hold a command back as long.
    """
    beat = sql.unpacked(session["heartbeat"]) or {}
    said = uptime_proof(key, mac, session["sess"], session["up_ms"])
    if same(beat.get("proof") or "", said):
        return session["up_ms"], sql.when(session["heard_at"]) or now
    return session["hello_up_ms"] or 0, sql.when(session["hello_at"]) or now


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
        by_kind=verdict.by_kind,
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
