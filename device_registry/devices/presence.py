"""Which stations are here, by what the broker and the stations themselves say."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import structlog
from prometheus_client import Counter
from tortoise.transactions import in_transaction

from device_registry.devices import alarms, session_rows
from device_registry.devices.logins import quarantine
from device_registry.devices.models import DeviceSession, SessionLog
from device_registry.devices.session_rows import REASON
from device_registry.devices.speakers import Speaker, dropped, known, speakers, storable
from device_registry.link import Heard, SessionChange
from foundation.errors import DomainError
from foundation.ids import Mac
from foundation.runner import Context
from foundation.wire.base import BadMessage, BadSignature, Message
from foundation.wire.hello import Heartbeat, Hello, Will

log = structlog.get_logger()

HELLOS = Counter("station_hellos_total", "Hellos that were believed.")
HEARTBEATS = Counter("station_heartbeats_total", "Heartbeats that were read.")

M = TypeVar("M", bound=Message)


class Sessions:
    """Writes the session rows. One in the platform: in the process that owns the sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # Two statements over many rows could each wait for a row that the other holds.
        self._alone = asyncio.Lock()

    async def changed(self, changes: Sequence[SessionChange]) -> None:
        """Sessions began or ended. Two statements for all of them."""
        async with self._alone, in_transaction():
            await session_rows.begin_or_end(latest(changes))
            await SessionLog.bulk_create(
                [
                    SessionLog(
                        mac=change.mac,
                        epoch=change.epoch,
                        up=change.up,
                        at=change.at,
                        reason=change.reason[:REASON],
                        address=change.address,
                    )
                    for change in changes
                ]
            )
        self._context.wake.kick("presence")

    async def hello(self, batch: Sequence[Heard]) -> list[tuple[Speaker, Hello]]:
        """Stations say who they are, signed; those believed. Two statements for all of them.

        One that counts fewer power-ups than it did is a copy, or the original of one:
        quarantine.
        """
        heard: dict[Mac, tuple[Heard, Speaker, Hello]] = {}
        behind: list[Mac] = []
        async with self._alone:
            who = await speakers(self._context, {message.mac for message in batch})
            for message in batch:
                try:
                    speaker = known(who, message.mac)
                    hello = _verified(message, speaker)
                except DomainError as error:
                    dropped("hello", message.mac, error)
                    continue
                if _went_back(speaker, hello):
                    behind.append(message.mac)
                elif message.mac not in heard or message.epoch >= heard[message.mac][0].epoch:
                    heard[message.mac] = message, speaker, hello
            if heard:
                await session_rows.say_hello([(m, hello) for m, _, hello in heard.values()])
        if heard:
            HELLOS.inc(len(heard))
            self._context.wake.kick("presence")
        for mac in behind:
            await quarantine(self._context, mac, "its boot counter went back")
        return [(speaker, hello) for _, speaker, hello in heard.values()]

    async def heartbeats(self, batch: Sequence[Heard]) -> None:
        """Stations are well; the last word of each counts. One statement for all of them."""
        beats = _read(Heartbeat, batch)
        if beats:
            HEARTBEATS.inc(len(beats))
            async with self._alone:
                await session_rows.beat(beats)

    async def wills(self, batch: Sequence[Heard]) -> None:
        """Stations are gone, says an engine that knows it by their wills. One statement."""
        wills = _read(Will, batch)
        if wills:
            async with self._alone:
                await session_rows.leave(wills)
            self._context.wake.kick("presence")


async def all_gone(reason: str, at: datetime) -> int:
    """The broker begins anew: nobody is here, and any epoch is news. Says how many were.

    Before it lets anybody in. Epochs begin anew too, or a clock that went back while we were
    down would make every new session look like an old one. Four statements.
    """
    async with in_transaction():
        here = DeviceSession.filter(online=True)
        rows = await here.values_list("mac", "epoch")
        await here.update(online=False, since=at, reason=reason[:REASON])
        await DeviceSession.filter(epoch__gt=0).update(epoch=0)
        await SessionLog.bulk_create(
            [
                SessionLog(mac=mac, epoch=epoch, up=False, at=at, reason=reason[:REASON])
                for mac, epoch in rows
            ],
            batch_size=1000,
        )
    if rows:
        log.info("presence.sessions.ended", reason=reason, stations=len(rows))
    return len(rows)


def latest(changes: Iterable[SessionChange]) -> list[SessionChange]:
    """What remains of `changes` by the rules of `session_rows`: one a station."""
    left: dict[Mac, SessionChange] = {}
    for change in changes:
        held = left.get(change.mac)
        if held is None or change.epoch > held.epoch:
            left[change.mac] = change
        elif change.epoch == held.epoch and held.up:
            left[change.mac] = replace(change, address=change.address or held.address)
    return list(left.values())


def _read(kind: type[M], batch: Sequence[Heard]) -> list[tuple[Heard, M]]:
    """The last readable message of each station."""
    last: dict[Mac, tuple[Heard, M]] = {}
    for message in batch:
        try:
            last[message.mac] = message, kind.parse(storable(message.payload))
        except BadMessage as error:
            dropped(kind.ROUTE.name, message.mac, error)
    return list(last.values())


def _verified(message: Heard, speaker: Speaker) -> Hello:
    """The hello in `message`, signed with the secret that it names.

    Raises:
        BadMessage: not a hello, or not that of this connection.
        BadSignature: not by this station, or with a secret that is over.
    """
    named = Hello.parse(storable(message.payload)).secret_ver
    keys = speaker.keys.get(named)
    if keys is None:
        raise BadSignature(f"secret {named} of {message.mac}")
    hello = Hello.verify(message.payload, keys.up, message.mac)
    if speaker.sess and message.epoch == speaker.epoch and hello.sess != speaker.sess:
        # One connection has one name: this one was recorded in another, when boots were fewer.
        raise BadMessage(f"a second hello of {message.mac}")
    return hello


def _went_back(speaker: Speaker, hello: Hello) -> bool:
    """Whether the boot counter shows two boxes. One wiped since got a new secret since."""
    if speaker.heard_at is None or speaker.secret_at is None:
        return False
    wiped = speaker.heard_at < speaker.secret_at
    return not wiped and alarms.boot_went_back(speaker.boot, hello.boot)
