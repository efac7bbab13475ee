"""What became of commands: said by the station at once, by its journal later, or by nobody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from tortoise.transactions import in_transaction

from device_registry.devices.models import OpenCommand
from device_registry.devices.speakers import Speaker, dropped, known, speakers, storable
from device_registry.devices.states import CommandState
from device_registry.link import Heard
from foundation import audit, sql
from foundation.errors import DomainError
from foundation.ids import Mac
from foundation.runner import Context
from foundation.wire.command import Code, Result

log = structlog.get_logger()

SETTLED = Counter(
    "door_opens_settled_total",
    "States that commands to open came to; late truth counts.",
    ["state"],
)

MOVES: Final = {
    CommandState.SENT: frozenset(
        {
            CommandState.EXECUTED,
            CommandState.REFUSED,
            CommandState.OFFLINE,
            CommandState.UNKNOWN,
        }
    ),
    CommandState.UNKNOWN: frozenset({CommandState.EXECUTED, CommandState.REFUSED}),
}
"""From where to where; nothing leaves the other states."""

MOST_PULSED_MS: Final = 600_000
"""Longer than any hold: a number above it is noise."""

_SWEEP: Final = 500
_LATE: Final = timedelta(seconds=1)
"""So much longer than the process that waits for it, before the sweep settles a command."""

_SETTLE: Final = """
UPDATE registry_open_command AS c SET state = v.state, code = v.code, settled_at = v.at,
    pulsed_ms = v.pulsed_ms, journal_seq = v.journal_seq
FROM {v} WHERE c.id = v.id
"""
_SETTLE_COLUMNS: Final = {
    "id": "text",
    "state": "text",
    "code": "text",
    "at": "timestamptz",
    "pulsed_ms": "int",
    "journal_seq": "bigint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of one command, and what must be true of it to be believed."""

    id: str
    state: CommandState
    at: datetime
    code: str = ""
    pulsed_ms: int = 0
    journal_seq: int | None = None
    actor: str = "platform"
    mac: Mac | None = None
    """It was sent to this one; None: we say so ourselves."""
    sess: str | None = None
    """In this session of it."""
    device_id: UUID | None = None

    def fits(self, command: OpenCommand) -> bool:
        """Whether it speaks of this command."""
        return (
            (self.mac is None or command.mac == self.mac)
            and (self.sess is None or command.sess == self.sess)
            and (self.device_id is None or command.device_id == self.device_id)
        )


async def settle(context: Context, settlements: Iterable[Settlement]) -> dict[str, CommandState]:
    """Settle commands; the new state of those that changed. Joins the caller's transaction.

    What does not fit its command, and what the command is past, changes nothing. Two
    statements and the audit. Call `told` after COMMIT.
    """
    news: dict[str, list[Settlement]] = {}
    for settlement in settlements:
        news.setdefault(settlement.id, []).append(settlement)
    if not news:
        return {}
    async with in_transaction():
        # In one order, so that two who settle never wait for each other.
        rows = (
            await OpenCommand.filter(id__in=sorted(news))
            .order_by("id")
            .select_for_update(no_key=True)
        )
        believed = [(row, new) for row in rows if (new := _first(row, news[row.id])) is not None]
        if not believed:
            return {}
        await sql.over(_SETTLE, _SETTLE_COLUMNS, [_values(new) for _, new in believed])
        await audit.append_all([_line(row, new) for row, new in believed], clock=context.clock)
    return {row.id: new.state for row, new in believed}


def told(context: Context, changed: Mapping[str, CommandState]) -> None:
    """After COMMIT: wake who waits for these commands, and who watches openings."""
    for id_, state in changed.items():
        SETTLED.labels(state.value).inc()
        log.info("door.open.settled", command=id_, state=state.value)
        context.wake.kick(f"command/{id_}")
    if changed:
        context.wake.kick("openings")


async def heard(context: Context, batch: Sequence[Heard]) -> None:
    """Stations answer commands, signed. Three statements and the audit for all of them."""
    who = await speakers(context, {message.mac for message in batch})
    settlements = []
    for message in batch:
        try:
            settlements.append(_settlement(message, known(who, message.mac)))
        except DomainError as error:
            dropped("res", message.mac, error)
    told(context, await settle(context, settlements))


async def overdue(context: Context) -> int:
    """Settle as unknown what whoever sent it did not: its process is gone. Says how many.

    One statement when there is nothing to do.
    """
    now = context.clock()
    ids = (
        await OpenCommand.filter(
            state=CommandState.SENT,
            deadline__lt=now - context.settings.devices.open_grace - _LATE,
        )
        .order_by("deadline")
        .limit(_SWEEP)
        .values_list("id", flat=True)
    )
    lost = [Settlement(id=str(id_), state=CommandState.UNKNOWN, at=now) for id_ in ids]
    changed = await settle(context, lost)
    told(context, changed)
    return len(changed)


def _settlement(message: Heard, speaker: Speaker) -> Settlement:
    keys = speaker.key_in_use()
    result = Result.verify(storable(message.payload), keys.up, message.mac)
    done = result.code is Code.OK
    return Settlement(
        id=result.id,
        state=CommandState.EXECUTED if done else CommandState.REFUSED,
        at=message.at,
        code=result.code.value,
        pulsed_ms=min(result.pulsed_ms, MOST_PULSED_MS),
        journal_seq=min(result.journal_seq, 2**53) if result.journal_seq else None,
        actor=f"device/{message.mac}",
        mac=message.mac,
        sess=result.sess,
    )


def _first(command: OpenCommand, news: Sequence[Settlement]) -> Settlement | None:
    """The first word of a batch counts, of those who may speak of this command."""
    return next((one for one in news if _moves(command, one)), None)


def _moves(command: OpenCommand, news: Settlement) -> bool:
    if not news.fits(command):
        log.warning("door.open.mistaken", command=command.id, actor=news.actor)
        return False
    return news.state in MOVES.get(command.state, frozenset())


def _values(news: Settlement) -> dict[str, Any]:
    return {
        "id": news.id,
        "state": news.state.value,
        "code": news.code,
        "at": news.at,
        "pulsed_ms": news.pulsed_ms,
        "journal_seq": news.journal_seq,
    }


def _line(command: OpenCommand, news: Settlement) -> audit.Line:
    return audit.Line(
        actor=news.actor,
        action="door.open.settle",
        object=f"device/{command.device_id}",
        community_id=command.community_id,
        facts={
            "command": command.id,
            "state": news.state.value,
            "code": news.code,
            "pulsed_ms": news.pulsed_ms,
        },
    )
