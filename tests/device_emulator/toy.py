"""The least that can be called a platform: it signs, seals and acknowledges, and remembers.

Made from the primitives of the wire only, so that the emulator is tested against what the
wire says and not against what the platform happens to do.
"""

import base64
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from foundation.ids import Mac, new_ulid
from foundation.wire import enroll
from foundation.wire.base import Signed, canonical
from foundation.wire.command import Command
from foundation.wire.enroll import (
    EnrollAnswer,
    EnrollRequest,
    MqttAddress,
    Registration,
    TimeAnswer,
)
from foundation.wire.events import EventAck
from foundation.wire.keys import DeviceKeys

NOWHERE = MqttAddress(host="127.0.0.1", port=1, tls=False)


@dataclass
class Known:
    """One registered station."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    secret_ver: int = 1
    pk: str = ""
    status: str = "registered"
    share: str = ""
    commit: str | None = None

    @property
    def keys(self) -> DeviceKeys:
        return DeviceKeys.of(self.secret)


class Toy:
    """A platform of one page."""

    def __init__(self, mqtt: MqttAddress = NOWHERE, poll: int = 5) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.mqtt, self.poll = mqtt, poll
        self.known: dict[Mac, Known] = {}
        self.requests: list[EnrollRequest] = []
        self.now_ms = lambda: int(time.time() * 1000)

    @property
    def pk(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes(*enroll.RAW)).decode()

    def register(self, mac: str, status: str = "registered") -> Known:
        return self.known.setdefault(Mac(mac), Known(status=status))

    def enrol(self, request: EnrollRequest) -> EnrollAnswer:
        body = request.model_dump(mode="json")
        enroll.check(request.pk, enroll.REQUEST, body, request.sig)
        self.requests.append(request)
        known = self.known.get(Mac(request.mac))
        if known is None:
            return self.answer(request.nonce, status="unregistered", user_code="K7QF-2M9X")
        known.pk = known.pk or request.pk
        known.share = known.share or secrets.token_hex(16)
        known.commit = known.commit or request.commit
        if known.pk != request.pk:
            return self.answer(request.nonce, status="mac_conflict")
        if known.status == "confirm":
            number, mine = None, request.reveal
            if mine is not None and enroll.commitment(mine) == known.commit:
                number = enroll.comparison_number(request.pk, self.pk, mine, known.share)
            return self.answer(request.nonce, status="confirm", share=known.share, number=number)
        if known.status != "registered":
            return self.answer(request.nonce, status=known.status)
        plain = self.registration(Mac(request.mac)).model_dump_json().encode()
        sealed = enroll.seal(request.pk, plain)
        return self.answer(request.nonce, status="registered", sealed=sealed)

    def registration(self, mac: Mac) -> Registration:
        known = self.known[mac]
        return Registration(
            device_id="0190",
            name="1号门",
            position="gate",
            community="柏树园",
            comm_code=f"c{mac[-6:]}",
            secret=base64.b64encode(known.secret).decode(),
            secret_ver=known.secret_ver,
            mqtt=self.mqtt,
        )

    def answer(self, nonce: str, **facts: Any) -> EnrollAnswer:
        names = ("user_code", "share", "number", "sealed")
        body: dict[str, object] = {name: facts.get(name) for name in names}
        body |= {
            "status": facts["status"],
            "poll": self.poll,
            "nonce": nonce,
            "server_pk": self.pk,
        }
        sig = enroll.sign(self.key, enroll.ANSWER, body)
        return EnrollAnswer.model_validate(body | {"sig": sig})

    def time(self, nonce: str) -> TimeAnswer:
        body: dict[str, object] = {
            "ts_ms": self.now_ms(),
            "nonce": nonce,
            "server_pk": self.pk,
        }
        return TimeAnswer.model_validate(body | {"sig": enroll.sign(self.key, enroll.TIME, body)})

    def command(self, mac: Mac, sess: str, **facts: Any) -> bytes:
        """A signed command; `key` signs it with another key than the right one."""
        key = facts.pop("key", self.known[mac].keys.cmd)
        body = {
            "id": new_ulid(),
            "sess": sess,
            "ctr": 1,
            "exp_up": 5000,
            "by": {"t": "resident", "ref": "p1", "house": "h1"},
        }
        return Command.model_validate(body | facts).sign(key, mac)

    def evtack(self, mac: Mac, upto: int, key: bytes | None = None) -> bytes:
        return EventAck(upto=upto).sign(key or self.known[mac].keys.dn, mac)

    def signed(self, mac: Mac, message: Signed) -> bytes:
        return message.sign(self.known[mac].keys.dn, mac)


def tampered(payload: bytes, **facts: Any) -> bytes:
    """A signed payload with some fields replaced, its signature left as it was."""
    import json

    return canonical(json.loads(payload) | facts)
