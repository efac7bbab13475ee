"""The ports to stations without a broker, and a scripted station that speaks the wire models."""

import asyncio
import base64
import os
import secrets
from collections import defaultdict
from datetime import UTC, datetime

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from device_registry.link import Batch, Changes, Delivery, Heard, SessionChange
from foundation.ids import Mac
from foundation.wire import enroll as wire
from foundation.wire import topics
from foundation.wire.command import Code, Command, Result
from foundation.wire.enroll import EnrollAnswer, EnrollRequest, Registration
from foundation.wire.events import Event, EventBatch
from foundation.wire.hello import Hello
from foundation.wire.keys import DeviceKeys


class Air:
    """`DeviceLink` and `DeviceInbox` at once: who is here, and who hears what."""

    def __init__(self) -> None:
        self.heard: defaultdict[str, list[Batch]] = defaultdict(list)
        self.watching: list[Changes] = []
        self.here: dict[Mac, Station] = {}
        self.epoch = 0
        self.sent: list[tuple[Mac, str]] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def send(self, mac: Mac, topic: str, payload: bytes, *, qos: int) -> Delivery:
        station = self.here.get(mac)
        if station is None:
            return Delivery.OFFLINE
        self.sent.append((mac, topic))
        if topic == topics.command(mac):
            task = asyncio.create_task(station.obey(payload))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return Delivery.SENT

    async def kick(self, mac: Mac, reason: str) -> bool:
        station = self.here.get(mac)
        if station is None:
            return False
        task = asyncio.create_task(station.leave("kicked"))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return True

    async def settled(self) -> None:
        """Until every command under way is answered."""
        while self.tasks:
            await asyncio.gather(*self.tasks)

    def hear(self, name: str, handler: Batch) -> None:
        self.heard[name].append(handler)

    def watch(self, handler: Changes) -> None:
        self.watching.append(handler)

    async def change(self, change: SessionChange) -> None:
        for handler in self.watching:
            await handler([change])

    async def say(self, mac: Mac, epoch: int, name: str, payload: bytes) -> None:
        heard = Heard(mac, epoch, payload, datetime.now(UTC))
        for handler in self.heard[name]:
            await handler([heard])


class Station:
    """Enrols over HTTP, says hello, and answers commands as it is told."""

    def __init__(self, air: Air, http: httpx.AsyncClient, mac: str | None = None) -> None:
        self.air = air
        self.http = http
        self.mac = topics.mac12(mac or f"02{os.urandom(5).hex()}")
        self.mine = secrets.token_hex(16)
        self.sign_key = Ed25519PrivateKey.generate()
        self.box_key = X25519PrivateKey.generate()
        self.registration: Registration | None = None
        self.sess = ""
        self.epoch = 0
        self.events = 0
        self.opened = 0
        self.answer: Code | None = Code.OK
        """To every command; None: silence."""

    def request(self, *, reveal: bool = False, **changes: object) -> dict[str, object]:
        """A signed enrolment; `changes` are made after signing."""
        body = EnrollRequest(
            mac=self.mac,
            model="test",
            fw="1.0.0",
            pk=wire.public_keys(self.sign_key, self.box_key),
            ts=int(datetime.now(UTC).timestamp()),
            nonce=secrets.token_hex(16),
            boot=1,
            held=self.registration.secret_ver if self.registration else 0,
            commit=wire.commitment(self.mine),
            reveal=self.mine if reveal else None,
            sig="AAAA",
        ).model_dump(mode="json")
        body["sig"] = wire.sign(self.sign_key, wire.REQUEST, body)
        return body | changes

    async def enroll(self, *, reveal: bool = False) -> EnrollAnswer:
        """One call, two to compare a number; keeps what a registered station is told."""
        response = await self.http.post("/device/v1/enroll", json=self.request(reveal=reveal))
        assert response.status_code == 200, response.text
        answer = EnrollAnswer.model_validate(response.json())
        wire.check(answer.server_pk, wire.ANSWER, response.json(), answer.sig)
        if answer.status == "confirm" and not reveal:
            return await self.enroll(reveal=True)
        if answer.sealed is not None:
            plain = wire.unseal(self.box_key, answer.sealed)
            self.registration = Registration.model_validate_json(plain)
        return answer

    @property
    def keys(self) -> DeviceKeys:
        assert self.registration is not None
        return DeviceKeys.of(base64.b64decode(self.registration.secret))

    async def arrive(self) -> None:
        """Connect and say hello."""
        self.air.epoch += 1
        self.epoch = self.air.epoch
        self.air.here[self.mac] = self
        await self.air.change(SessionChange(self.mac, self.epoch, True, datetime.now(UTC)))
        self.sess = secrets.token_hex(16)
        hello = Hello(boot=1, sess=self.sess, up_ms=1000, fw="1.0.0", evt=(1, self.events))
        await self.air.say(self.mac, self.epoch, "hello", hello.sign(self.keys.up, self.mac))

    async def leave(self, reason: str = "reset") -> None:
        """The connection is gone."""
        self.air.here.pop(self.mac, None)
        now = datetime.now(UTC)
        await self.air.change(SessionChange(self.mac, self.epoch, False, now, reason))

    async def obey(self, payload: bytes) -> None:
        """Check a command and answer it."""
        command = Command.verify(payload, self.keys.cmd, self.mac)
        assert command.sess == self.sess
        code = self.answer
        if code is None:
            return
        self.opened += code is Code.OK
        result = Result(
            id=command.id,
            sess=self.sess,
            code=code,
            door=command.door,
            pulsed_ms=command.hold * 1000 if code is Code.OK else 0,
        )
        await self.say("res", result.sign(self.keys.up, self.mac))

    async def happened(self, type_: str, at: datetime | None = None, **facts: object) -> int:
        """Report one event of the journal; its number."""
        self.events += 1
        ts = int((at or datetime.now(UTC)).timestamp() * 1000)
        event = Event(seq=self.events, boot=1, ts=ts, type=type_, **facts)  # type: ignore[arg-type]
        await self.say("evt", EventBatch(events=(event,)).dump())
        return self.events

    async def say(self, name: str, payload: bytes) -> None:
        await self.air.say(self.mac, self.epoch, name, payload)
