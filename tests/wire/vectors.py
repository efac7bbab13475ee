"""One example of everything that travels, with every field set, made from fixed keys.

`tests/wire/golden/` keeps what they look like on the wire. A difference is a change of the
protocol: stations in the field would not understand it. When it is meant, and every old
station can live with it: `python -m tests.wire.vectors`.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from foundation.ids import Mac
from foundation.wire import enroll, keys
from foundation.wire.base import Message, Signed, canonical
from foundation.wire.command import By, Code, Command, Result
from foundation.wire.events import Event, EventAck, EventBatch
from foundation.wire.hello import Capacity, Heartbeat, Hello, Rotate, Will

GOLDEN = Path(__file__).parent / "golden"

MAC = Mac("021a2b3c4d5e")
CODE = "6800123456"
SECRET = bytes(range(32))
KEYS = keys.DeviceKeys.of(SECRET)
SESS = "00112233445566778899aabbccddeeff"
NONCE = "ffeeddccbbaa99887766554433221100"
SHARE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ULID = "01J0000000ABCDEFGHJKMNPQRS"
STATION_SIGN = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"station sign").digest())
STATION_BOX = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"station box").digest())
PLATFORM = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"platform").digest())
SERVER_PK = base64.b64encode(PLATFORM.public_key().public_bytes(*enroll.RAW)).decode()

EVENT = Event(
    seq=7, boot=3, ts=1_900_000_000_123, clk="untrusted", type="remote.open", door=2,
    result="ok", reason="none", kind="card", cid="c-1", value_hash="ab" * 8, house="栋1-0101",
    call_id="call-1", cmd_id=ULID, acl=(4, 5), snap="cd" * 32, hold_ms=5000, duration_ms=61,
    lost=(1, 6),
)  # fmt: skip

MESSAGES: tuple[Message, ...] = (
    Hello(
        boot=3, sess=SESS, up_ms=12_345, fw="1.2.3", hw="rev-b", schema=1,
        acl=(4, 5, "0123456789abcdef", 6), cap=Capacity(rows=100, fp=10, chunk_bytes=1024),
        cfg=(8, "aa"), media=(9, "bb"), evt=(1, 7), secret_ver=2,
    ),
    Heartbeat(
        sess=SESS, up_ms=42_345, acl=(4, 5, "0123456789abcdef"), door=("closed", "open"),
        rssi=-61, mem=123_456, tmp=21.5, clk_ms=-250, ads_playing="春节",
    ).proven(KEYS.up, MAC),
    Will(sess=SESS),
    EventBatch(events=(EVENT, Event(seq=8, boot=3, ts=0, type="tamper")), prev=6),
    EventAck(upto=8),
    Rotate(secret_ver=3),
    Command(
        id=ULID, door=2, hold=7, sess=SESS, ctr=11, exp_up=17_345,
        by=By(t="resident", ref="r-1", house="栋1-0101"), call="call-1", pol="default",
    ),
    Result(id=ULID, sess=SESS, code=Code.OK, door=2, pulsed_ms=7000, journal_seq=7),
)  # fmt: skip


def key_of(message: Message) -> bytes:
    """The key that signs it; see `foundation.wire_docs.signed_with`."""
    if message.ROUTE.way == "up":
        return KEYS.up
    return KEYS.cmd if message.ROUTE.lane == "c" else KEYS.dn


def payload(message: Message) -> bytes:
    """What is published."""
    if isinstance(message, Signed):
        return message.sign(key_of(message), MAC)
    return message.dump()


def message_files() -> dict[str, Any]:
    """File name -> content, of every message."""
    return {
        message.ROUTE.name: {
            "station": MAC,
            "topic": f"v1/{MAC}/{message.ROUTE.way}/{message.ROUTE.lane}/{message.ROUTE.name}",
            "qos": message.ROUTE.qos,
            "key": key_of(message).hex() if isinstance(message, Signed) else None,
            "payload": payload(message).decode(),
        }
        for message in MESSAGES
    }


def enroll_files() -> dict[str, Any]:
    """The bodies of REG/1, each with its signature."""
    pk = enroll.public_keys(STATION_SIGN, STATION_BOX)
    request = {
        "mac": "02:1A:2B:3C:4D:5E", "model": "emulator", "fw": "1.2.3", "pk": pk,
        "ts": 1_900_000_000, "nonce": NONCE, "boot": 3, "held": 2,
        "commit": enroll.commitment(SHARE), "reveal": SHARE,
    }  # fmt: skip
    answer = {
        "status": "registered", "poll": 5, "nonce": NONCE, "user_code": "K7QF-2M9X",
        "share": NONCE, "number": enroll.comparison_number(pk, SERVER_PK, SHARE, NONCE),
        "sealed": "c2VhbGVk", "server_pk": SERVER_PK,
    }  # fmt: skip
    time = {"ts_ms": 1_900_000_000_123, "nonce": NONCE, "server_pk": SERVER_PK}
    return {
        "enroll_request": request | {"sig": enroll.sign(STATION_SIGN, enroll.REQUEST, request)},
        "enroll_answer": answer | {"sig": enroll.sign(PLATFORM, enroll.ANSWER, answer)},
        "time_answer": time | {"sig": enroll.sign(PLATFORM, enroll.TIME, time)},
    }


def key_file() -> dict[str, Any]:
    """What is derived from the secret, and the short forms of the public keys."""
    pk = enroll.public_keys(STATION_SIGN, STATION_BOX)
    return {
        "secret": SECRET.hex(),
        "auth": KEYS.auth.hex(),
        "cmd": KEYS.cmd.hex(),
        "dn": KEYS.dn.hex(),
        "up": KEYS.up.hex(),
        "pk": pk,
        "fingerprint": enroll.fingerprint(pk),
        "commitment": enroll.commitment(SHARE),
        "comparison_number": enroll.comparison_number(pk, SERVER_PK, SHARE, NONCE),
    }


def random_files() -> dict[str, Any]:
    """What is different each time it is made: kept from the first time, to be read for ever."""
    registration = enroll.Registration(
        device_id="01890a5d-ac96-774b-bcce-b302099a8057", name="1栋1单元", position="unit",
        community="柏树园", comm_code=CODE, secret=base64.b64encode(SECRET).decode(), secret_ver=2,
        mqtt=enroll.MqttAddress(host="door.example", port=8883, tls=True, ca_pem="-----"),
        ntp=("ntp.example",),
    )  # fmt: skip
    body = registration.model_dump(mode="json")
    return {
        "sealed": {
            "registration": body,
            "sealed": enroll.seal(enroll.public_keys(STATION_SIGN, STATION_BOX), canonical(body)),
        },
        "password": {
            "mac": MAC, "code": CODE, "ts": 1_900_000_000,
            "password": keys.password(KEYS, MAC, CODE, 1_900_000_000),
        },
    }  # fmt: skip


def write() -> None:
    """Write every file; those of random content only when they are missing."""
    GOLDEN.mkdir(exist_ok=True)
    for name, content in (message_files() | enroll_files() | {"keys": key_file()}).items():
        _write(name, content)
    for name, content in random_files().items():
        if not (GOLDEN / f"{name}.json").exists():
            _write(name, content)


def _write(name: str, content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (GOLDEN / f"{name}.json").write_text(text)


if __name__ == "__main__":
    write()
