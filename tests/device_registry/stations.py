"""Stations that speak the real wire, behind ports that need no broker.

`Air` is the link and the inbox: what is said goes to the handlers that the registry itself
registered, and what is sent goes to the station, or to nobody.
"""

import asyncio
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import TransactionalDBClient

from device_registry import service
from device_registry.devices.models import Device, DeviceSession, Position, Status
from device_registry.devices.secrets import current_secret, new_secret
from device_registry.link import (
    Batch,
    Changes,
    Delivery,
    DeviceInbox,
    DeviceLink,
    Heard,
    SessionChange,
)
from device_registry.service import RegistryService
from foundation import db
from foundation.ids import Mac, new_id
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Devices, Settings
from foundation.wire import topics
from foundation.wire.command import Code, Command, Result
from foundation.wire.events import Event, EventAck, EventBatch
from foundation.wire.hello import Heartbeat, Hello, Will
from foundation.wire.keys import DeviceKeys

COMMUNITY = new_id()


class Clock:
    """The time of day, shifted by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, **by: float) -> None:
        self.ahead += timedelta(**by)


class Station:
    """One door station: as much of R5 as these tests need."""

    def __init__(self, air: "Air", device: Device, secret: bytes) -> None:
        self.air = air
        self.id: UUID = device.id
        self.place: UUID = device.place_id
        self.mac = Mac(device.mac or "")
        self.keys = DeviceKeys.of(secret)
        self.secret_ver = device.secret_ver
        self.epoch = 0
        self.sess = ""
        self.boot = 1
        self.seq = 0
        self.ctr = 0
        self.booted = time.monotonic() - 1000
        self.pulses: list[str] = []
        self.commands: list[Command] = []
        self.acked: list[int] = []
        self.answers = True
        self.code = Code.OK

    @property
    def up_ms(self) -> int:
        return int((time.monotonic() - self.booted) * 1000)

    def hello(self, **fields: Any) -> bytes:
        facts = {
            "boot": self.boot,
            "sess": self.sess,
            "up_ms": self.up_ms,
            "fw": "1.0.0",
            "evt": (1, self.seq) if self.seq else (0, 0),
            "secret_ver": self.secret_ver,
        }
        return Hello.model_validate(facts | fields).sign(self.keys.up, self.mac)

    async def connect(self) -> None:
        """Begin a session and say hello."""
        await self.begin()
        await self.say("hello", self.hello())

    async def begin(self) -> None:
        self.epoch = self.air.next_epoch()
        self.sess = secrets.token_hex(16)
        self.ctr = 0
        self.air.live[self.mac] = self
        await self.change(up=True)

    async def drop(self, reason: str = "reset") -> None:
        self.air.live.pop(self.mac, None)
        await self.change(up=False, reason=reason)

    async def change(self, *, up: bool, epoch: int | None = None, reason: str = "") -> None:
        change = SessionChange(
            self.mac,
            self.epoch if epoch is None else epoch,
            up,
            self.air.now(),
            reason,
            "192.0.2.7",
        )
        for watcher in self.air.watchers:
            await watcher([change])

    async def say(self, name: str, payload: bytes, epoch: int | None = None) -> None:
        await self.air.say(name, [self.heard(payload, epoch)])

    def heard(self, payload: bytes, epoch: int | None = None) -> Heard:
        return Heard(self.mac, self.epoch if epoch is None else epoch, payload, self.air.now())

    def heartbeat(self, **fields: Any) -> bytes:
        facts = {"sess": self.sess, "up_ms": self.up_ms}
        return Heartbeat.model_validate(facts | fields).proven(self.keys.up, self.mac).dump()

    def will(self) -> bytes:
        return Will(sess=self.sess).dump()

    def event(self, type_: str, **facts: Any) -> Event:
        self.seq += 1
        ts = int(self.air.now().timestamp() * 1000)
        return Event.model_validate(
            {"seq": self.seq, "boot": self.boot, "ts": ts, "type": type_} | facts
        )

    async def journal(self, *events: Event, prev: int | None = None) -> None:
        await self.say("evt", EventBatch(events=events, prev=prev).dump())

    def receive(self, topic: str, payload: bytes) -> None:
        if topic == topics.down(self.mac, "evtack"):
            self.acked.append(EventAck.verify(payload, self.keys.dn, self.mac).upto)
            return
        assert topic == topics.command(self.mac)
        command = Command.verify(payload, self.keys.cmd, self.mac)
        self.commands.append(command)
        assert command.sess == self.sess
        assert command.ctr > self.ctr
        self.ctr = command.ctr
        if self.code is Code.OK:
            self.pulses.append(command.id)
        if self.answers:
            self.air.later(self.say("res", self.result(command.id, code=self.code)))

    def result(self, command_id: str, **fields: Any) -> bytes:
        facts = {
            "id": command_id,
            "sess": self.sess,
            "code": Code.OK,
            "door": 1,
            "pulsed_ms": 5000,
        }
        return Result.model_validate(facts | fields).sign(self.keys.up, self.mac)


@dataclass
class Air(DeviceLink, DeviceInbox):
    """See the module."""

    context: Context
    live: dict[str, Station] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    handlers: dict[str, list[Batch]] = field(default_factory=lambda: defaultdict(list))
    watchers: list[Changes] = field(default_factory=list)
    kicked: list[str] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    before_send: Callable[[], None] | None = None
    epoch: int = 1000

    @property
    def registry(self) -> RegistryService:
        return self._registry

    def build(self) -> None:
        self.context.provide(DeviceLink, self)
        self.context.provide(DeviceInbox, self)
        self._registry = service.build(self.context)

    def now(self) -> datetime:
        return self.context.clock()

    def next_epoch(self) -> int:
        self.epoch += 1
        return self.epoch

    async def send(self, mac: Mac, topic: str, payload: bytes, *, qos: int) -> Delivery:
        if self.before_send is not None:
            self.before_send()
        if mac not in self.live:
            return Delivery.OFFLINE
        if mac not in self.deaf:
            self.live[mac].receive(topic, payload)
        return Delivery.SENT

    async def kick(self, mac: Mac, reason: str) -> bool:
        self.kicked.append(mac)
        return self.live.pop(mac, None) is not None

    def hear(self, name: str, handler: Batch) -> None:
        self.handlers[name].append(handler)

    def watch(self, handler: Changes) -> None:
        self.watchers.append(handler)

    async def say(self, name: str, batch: list[Heard]) -> None:
        for handler in self.handlers[name]:
            await handler(batch)

    def later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda done: done.result())

    async def station(self, number: int = 1, **fields: Any) -> Station:
        """A registered station at a place of its own, never connected."""
        mac = f"00000000{number:04x}"
        facts: dict[str, Any] = {
            "id": new_id(),
            "community_id": COMMUNITY,
            "place_id": new_id(),
            "position": Position.UNIT,
            "name": f"{number:02} 号门",
            "mac": mac,
            "last_mac": mac,
            "status": Status.ACTIVE,
            "comm_code": f"{number:06}",
        }
        device = Device(**facts | fields)
        new_secret(self.context.keyring, device)
        await device.save(force_create=True)
        return Station(self, device, current_secret(self.context.keyring, device))

    async def connected(self, number: int = 1, **fields: Any) -> Station:
        station = await self.station(number, **fields)
        await station.connect()
        return station


def new_air(**devices: object) -> Air:
    """A registry whose commands wait half a second at most."""
    quick = {"open_deadline": timedelta(seconds=0.4), "open_grace": timedelta(seconds=0.1)}
    settings = Settings(devices=Devices.model_validate(quick | devices))
    air = Air(Context(settings, Keyring(os.urandom(32)), clock=Clock()))
    air.build()
    return air


def in_a_transaction() -> bool:
    """Whether what is asked of the database now waits for a COMMIT."""
    return isinstance(db.connection(), TransactionalDBClient)


async def session(station: Station) -> DeviceSession:
    return await DeviceSession.get(mac=station.mac)
