"""A box that enrols, a clock that is set by hand, and a link that remembers what it was told."""

import base64
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from device_registry.devices import communication_codes
from device_registry.devices.enrolment import enroll
from device_registry.devices.models import Device, Position
from device_registry.devices.registration import NewStation, register
from device_registry.link import Delivery, DeviceLink
from foundation.ids import Mac, new_id
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Broker, Devices, Settings
from foundation.wire import enroll as wire
from foundation.wire.enroll import EnrollAnswer, EnrollRequest, Registration

ADMIN = f"account/{new_id()}"
COMMUNITY = new_id()


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Link(DeviceLink):
    """Every station is connected."""

    kicked: list[tuple[str, str]] = field(default_factory=list)
    sent: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def send(self, mac: Mac, topic: str, payload: bytes, *, qos: int) -> Delivery:
        self.sent.append((mac, topic, payload))
        return Delivery.SENT

    async def kick(self, mac: Mac, reason: str) -> bool:
        self.kicked.append((mac, reason))
        return True


def new_context(**devices: object) -> Context:
    """Settings with no TLS (no certificates to make), a new master key, a clock by hand."""
    settings = Settings(
        broker=Broker(advertised_host="broker.test", tls_port=None),
        devices=Devices.model_validate(devices),
    )
    return Context(settings, Keyring(os.urandom(32)), clock=HandClock())


def clock_of(context: Context) -> HandClock:
    assert isinstance(context.clock, HandClock)
    return context.clock


class Box:
    """The station's side of REG/1."""

    def __init__(self, context: Context, mac: str | None = None, boot: int = 1) -> None:
        self.context = context
        self.mac = mac or f"00{secrets.token_hex(5)}"
        self.boot = boot
        self.mine = secrets.token_hex(16)
        """Its share of the comparison number."""
        self.sign_key = Ed25519PrivateKey.generate()
        self.box_key = X25519PrivateKey.generate()

    @property
    def pk(self) -> str:
        return wire.public_keys(self.sign_key, self.box_key)

    def request(self, **fields: object) -> EnrollRequest:
        body: dict[str, object] = {
            "mac": self.mac,
            "model": "DS-1",
            "fw": "1.0.0",
            "pk": self.pk,
            "ts": int(self.context.clock().timestamp()),
            "nonce": secrets.token_hex(16),
            "boot": self.boot,
            "commit": wire.commitment(self.mine),
            **fields,
        }
        sig = wire.sign(self.sign_key, wire.REQUEST, body)
        return EnrollRequest.model_validate(body | {"sig": sig})

    async def call(self, address: str = "192.0.2.7", **fields: object) -> EnrollAnswer:
        """Enrol and check that the answer is the platform's; once more to reveal its share."""
        answer = await self.once(address, **fields)
        if answer.status == "confirm" and "commit" not in fields:
            answer = await self.once(address, reveal=self.mine, **fields)
        return answer

    async def once(self, address: str = "192.0.2.7", **fields: object) -> EnrollAnswer:
        """Enrol once and check that the answer is the platform's, to this very request."""
        request = self.request(**fields)
        answer = await enroll(self.context, request, address)
        assert answer.nonce == request.nonce
        wire.check(answer.server_pk, wire.ANSWER, answer.model_dump(mode="json"), answer.sig)
        return answer

    def open(self, answer: EnrollAnswer) -> Registration:
        assert answer.sealed is not None
        return Registration.model_validate_json(wire.unseal(self.box_key, answer.sealed))

    async def secret(self) -> tuple[int, bytes]:
        """Enrol and take the secret that a registered station is given."""
        answer = await self.call()
        assert answer.status == "registered", answer
        registration = self.open(answer)
        return registration.secret_ver, base64.b64decode(registration.secret)


async def code() -> str:
    """A free 通讯码."""
    return (await communication_codes.generate(1, "test"))[0]


async def station(box: Box, **fields: object) -> NewStation:
    """What an admin would type to register `box` at the gate."""
    facts: dict[str, object] = {
        "community_id": COMMUNITY,
        "name": "东门",
        "position": Position.GATE,
        "place_id": fields.get("community_id", COMMUNITY),
        "mac": box.mac,
        **fields,
    }
    facts.setdefault("comm_code", await code())
    return NewStation(**facts)  # type: ignore[arg-type]


async def registered(box: Box, **fields: object) -> UUID:
    """Register `box`, station first."""
    answer = await box.call()
    assert answer.status == "unregistered"
    return await register(
        box.context, ADMIN, await station(box, user_code=answer.user_code, **fields)
    )


async def row(device_id: UUID) -> Device:
    return await Device.get(id=device_id)
