"""The gate and the device lane on real sockets, with a given list of logins and no database."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from broker import codec
from broker.accounts import Accounts
from broker.authority import Device, Platform, ServiceAccount
from broker.embedded import EmbeddedLink
from broker.gate import Gate, Judges
from broker.ingest import Inbox
from broker.lane import Lane
from broker.listeners import Listeners
from broker.logins import Logins
from broker.presence import Comings
from device_registry.devices.logins import Login
from device_registry.link import Heard, SessionChange
from foundation.clock import utc_now
from foundation.ids import Mac, new_id
from foundation.security import Keyring
from foundation.settings import Broker, Devices, Settings
from foundation.wire import topics
from foundation.wire.keys import DeviceKeys, password
from tests.attacks.raw import Wire

MAC = Mac("02aabbccdd01")
OTHER = Mac("02aabbccdd02")
KEYRING = Keyring(b"k" * 32)


def secret(mac: Mac, version: int = 1) -> DeviceKeys:
    """The keys of a station, the same every time."""
    return DeviceKeys.of(f"{mac}/{version}".encode().ljust(32, b"."))


def login_row(mac: Mac, *versions: int) -> Login:
    """What the registry says of a station; its communication code is made from the MAC."""
    keys = {version: secret(mac, version).auth for version in versions or (1,)}
    return Login(mac, new_id(), f"C{mac[-4:]}", keys)


@dataclass
class Admitted:
    """One client that the gate gave to the open lane."""

    connect: codec.Connect
    principal: ServiceAccount | Platform
    after: bytes
    address: str


@dataclass
class EchoLane:
    """An open lane that says CONNACK, remembers, and sends back what it gets."""

    admitted: list[Admitted] = field(default_factory=list)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        pass

    async def admit(
        self,
        connect: codec.Connect,
        principal: ServiceAccount | Platform,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.writers.add(writer)
        writer.write(codec.connack(codec.ACCEPTED))
        one = Admitted(connect, principal, b"", writer.get_extra_info("peername")[0])
        self.admitted.append(one)
        while data := await reader.read(4096):
            one.after += data
            writer.write(data)
            await writer.drain()
        writer.close()

    async def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@dataclass
class Lab:
    """What a test may reach."""

    settings: Settings
    rows: dict[Mac, Login]
    skew: timedelta = timedelta()
    changes: list[SessionChange] = field(default_factory=list)
    heard: dict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list))
    batches: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    order: list[tuple[str, int]] = field(default_factory=list)
    """("up", epoch) and (name, epoch), as they were told."""
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    """A handler waits here, as for a slow database, when the event is not set."""
    banned: list[Mac] = field(default_factory=list)
    cloned: list[Mac] = field(default_factory=list)
    used: list[Device] = field(default_factory=list)
    open_lane: EchoLane = field(default_factory=EchoLane)

    def __post_init__(self) -> None:
        broker = self.settings.broker
        self.comings = Comings()
        self.inbox = Inbox(broker, self.comings)
        self.logins = Logins(broker)
        self.logins.replace(self.rows.values())
        self.accounts = Accounts(broker, KEYRING, self.clock)
        self.lane = Lane(
            self.settings,
            self.clock,
            self.inbox.queues,
            self.comings,
            ended=self._ended,
            cloned=self.cloned.append,
        )
        self.link = EmbeddedLink(self.lane)
        judges = Judges(self.logins, self.accounts, self.used.append)
        self.gate = Gate(broker, self.clock, judges, self.lane, self.open_lane)
        self.listeners = Listeners(self.settings, self.gate)
        self.inbox.watch(self._watched)
        for name in ("hello", "hb", "evt", "lwt"):
            self.inbox.hear(name, self._handler(name))

    def clock(self) -> datetime:
        return utc_now() + self.skew

    def reload(self) -> None:
        """The list of logins has changed."""
        self.logins.replace(self.rows.values())
        self.lane.kick_unless(self.logins.stands)

    def _ended(self, mac: Mac) -> None:
        if self.logins.ended(mac, self.clock()):
            self.banned.append(mac)

    async def _watched(self, changes: Sequence[SessionChange]) -> None:
        if (event := self.gates.get("changes")) is not None:
            await event.wait()
        self.changes += changes
        self.order += [("up" if change.up else "down", change.epoch) for change in changes]

    def _handler(self, name: str) -> Any:
        async def handle(batch: Sequence[Heard]) -> None:
            if (event := self.gates.get(name)) is not None:
                await event.wait()
            self.heard[name] += batch
            self.batches[name].append(len(batch))
            self.order += [(name, heard.epoch) for heard in batch]

        return handle

    def reasons(self, mac: Mac = MAC) -> list[str]:
        """How the sessions of a station went: "up", or why it ended."""
        return [change.reason or "up" for change in self.changes if change.mac == mac]

    def payloads(self, name: str) -> list[bytes]:
        """What was heard under a name."""
        return [heard.payload for heard in self.heard[name]]

    def password(self, mac: Mac = MAC, *, version: int = 1, ts: float | None = None) -> str:
        """A one-time password of a station, for now."""
        at = self.clock().timestamp() if ts is None else ts
        return password(secret(mac, version), mac, self.rows[mac].comm_code, int(at))

    async def dial(self, **kwargs: Any) -> Wire:
        """A connection that has said nothing yet."""
        return await Wire.open(self.listeners.port("port"), **kwargs)

    async def dial_tls(self, tls: ssl.SSLContext) -> Wire:
        """The same over TLS."""
        return await Wire.open(self.listeners.port("tls_port"), tls=tls)

    async def login(
        self, mac: Mac = MAC, *, wire: Wire | None = None, **kwargs: Any
    ) -> tuple[Wire, int | None]:
        """Log a station in; the connection, and the return code."""
        wire = wire or await self.dial()
        given = kwargs.pop("password", None) or self.password(mac)
        username = kwargs.pop("username", self.rows[mac].comm_code)
        return wire, await wire.login(mac, username, given, **kwargs)

    async def online(self, mac: Mac = MAC, **kwargs: Any) -> Wire:
        """A station that has logged in and subscribed."""
        wire, code = await self.login(mac, **kwargs)
        assert code == 0
        assert await wire.join(*topics.filters(mac)) == [1, 0]
        return wire


def settings(data_dir: Path, **broker: Any) -> Settings:
    """Of a lab: free ports, short waits."""
    chosen = {
        "port": 0,
        "tls_port": None,
        "ws_port": None,
        "refusal_delay": timedelta(milliseconds=20),
        "heartbeat_linger": timedelta(milliseconds=20),
        "keepalive_min": 1,
    } | broker
    devices = Devices(takeover_limit=chosen.pop("takeover_limit", 3))
    return Settings(data_dir=data_dir, broker=Broker(**chosen), devices=devices)


@asynccontextmanager
async def running(chosen: Settings, *macs: Mac) -> AsyncIterator[Lab]:
    """A lab with these stations registered; what fails in it fails the test."""
    lab = Lab(chosen, {mac: login_row(mac) for mac in macs or (MAC, OTHER)})
    stop, drained, told = asyncio.Event(), asyncio.Event(), asyncio.Event()
    lab.listeners.bind()
    async with asyncio.TaskGroup() as group:
        gate = group.create_task(lab.gate.run(stop))
        ingest = group.create_task(lab.inbox.run(drained))
        group.create_task(lab.comings.run(told))
        group.create_task(lab.lane.sweep(told))
        await lab.listeners.open()
        try:
            yield lab
        finally:
            for event in lab.gates.values():
                event.set()
            lab.listeners.close()
            lab.lane.stop_reading()
            stop.set()
            drained.set()
            await asyncio.wait([gate, ingest])
            lab.lane.close()
            told.set()
            lab.accounts.close()
    await lab.listeners.closed()
