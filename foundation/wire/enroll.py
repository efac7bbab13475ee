"""REG/1 over HTTPS: how a station becomes known (`POST /device/v1/enroll`).

A station proves itself with Ed25519 over the canonical JSON of its request, and receives
its secret sealed to its X25519 key. `pk` is both public keys: Ed25519 then X25519, 64 bytes.
"""

import base64
import hashlib
import os
from typing import Annotated, Final, Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field

from foundation.wire.base import BadMessage, BadSignature, canonical

RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=8192)]
Nonce = Annotated[
    str, Field(pattern=r"^[0-9a-f]{32}$", description="128 random bits of the request, in hex")
]

REQUEST: Final = "enroll"
"""The purpose under which a station signs its request; see `sign`."""
ANSWER: Final = "enroll-answer"
"""The purpose under which the platform signs an `EnrollAnswer`."""
TIME: Final = "time"
"""The purpose under which the platform signs a `TimeAnswer`."""


class Wire(BaseModel):
    """A body of the device API; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EnrollRequest(Wire):
    """Who a station says it is. `ts` in Unix seconds; `sig` over everything else.

    Every field is signed, those left at their default too; only those that are absent are not.
    `boot` counts power-ups (0: not counted). `held` is the version of the secret it holds,
    0 for none: a station told to wipe itself proves with 0 that it did.

    A station without a secret says `commit` in every request, the SHA-256 of 16 random bytes
    that it keeps. When an answer brings the platform's `share`, it says those bytes as
    `reveal` from then on, and takes no other `share` for them: so neither side, nor anybody
    between them, can choose the comparison number. After `unregistered` it needs other bytes
    than those it has revealed, and makes few of them between two power-ups.
    """

    # A newer station's fields are under its signature too, so they are kept.
    model_config = ConfigDict(frozen=True, extra="allow")

    mac: str = Field(max_length=24, description="any common way to write a MAC")
    model: str = Field(max_length=32, description="of the station")
    fw: str = Field(max_length=32, description="firmware")
    pk: Base64 = Field(description="public keys: Ed25519 then X25519, 64 bytes")
    ts: int = Field(ge=0, le=2**53, description="Unix seconds")
    nonce: Nonce
    boot: int = Field(0, ge=0, le=2**53, description="power-ups; 0: not counted")
    held: int | None = Field(
        None, ge=0, le=2**31, description="version of the secret it holds; 0: none"
    )
    commit: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of what `reveal` will say, in hex"
    )
    reveal: Nonce | None = Field(
        None, description="the station's share of the comparison number, 16 bytes in hex"
    )
    sig: Base64 = Field(description="by the station's Ed25519 key, over all but `sig`")


class EnrollAnswer(Wire):
    """What the platform says. Signed with the platform's Ed25519 key, over all but `sig`.

    unregistered: show `user_code` (校验码), ask again in `poll` seconds.
    confirm: `share` is ours of the comparison number; reveal yours. Then show `number`, if you
    come to the same one, and wait until somebody at the console presses 一致.
    registered: `sealed` holds a `Registration`, sealed to the station's X25519 key.
    mac_conflict: another box enrolled with this MAC; an admin has been told.
    suspended: registered, but not let in now.
    unbound: forget your secret and your lists; you are unregistered again.
    """

    status: Literal[
        "unregistered", "confirm", "registered", "mac_conflict", "suspended", "unbound"
    ] = Field(description="see above")
    poll: int = Field(5, ge=1, description="ask again after so many seconds")
    nonce: Nonce
    user_code: str | None = Field(None, description="校验码, to be shown")
    share: Nonce | None = Field(
        None, description="the platform's share of the comparison number, 16 bytes in hex"
    )
    number: str | None = Field(None, description="comparison number, once both shares are known")
    sealed: Base64 | None = Field(None, description="a `Registration`, sealed")
    server_pk: Base64 = Field(description="the platform's Ed25519 key, 32 bytes")
    sig: Base64 = Field(description="by that key, over all but `sig`")


class MqttAddress(Wire):
    """Where the broker is, and whose certificate to believe."""

    host: str = Field(description="name or address")
    port: int = Field(description="TCP port")
    tls: bool = Field(description="whether to speak TLS")
    ca_pem: str | None = Field(None, description="authority to believe; none: the public ones")


class Registration(Wire):
    """What a registered station needs; `secret` is 32 bytes."""

    device_id: str = Field(description="UUID of the station")
    name: str = Field(description="to be shown")
    position: str = Field(description="gate, building or unit")
    community: str = Field("", description="to be shown")
    comm_code: str = Field(description="通讯码: the MQTT user name")
    secret: Base64 = Field(description="32 bytes; the keys are derived from it")
    secret_ver: int = Field(description="version of the secret")
    mqtt: MqttAddress = Field(description="where to connect")
    ntp: tuple[str, ...] = Field((), description="time servers")


class TimeAnswer(Wire):
    """`GET /device/v1/time?nonce=…`: Unix milliseconds, signed, for a clock that is not set."""

    ts_ms: int = Field(description="Unix milliseconds")
    nonce: Nonce
    server_pk: Base64 = Field(description="the platform's Ed25519 key, 32 bytes")
    sig: Base64 = Field(description="by that key, over all but `sig`")


def public_keys(sign: Ed25519PrivateKey, box: X25519PrivateKey) -> str:
    """The `pk` of a station."""
    both = sign.public_key().public_bytes(*RAW) + box.public_key().public_bytes(*RAW)
    return base64.b64encode(both).decode()


def fingerprint(pk: str) -> str:
    """First 16 hex digits of SHA-256 over the key bytes, for the QR code and the console."""
    return hashlib.sha256(_raw(pk)).hexdigest()[:16]


def commitment(share: str) -> str:
    """What binds a station to its share of the number before it knows the platform's."""
    return hashlib.sha256(bytes.fromhex(share)).hexdigest()


def comparison_number(pk: str, server_pk: str, share: str, server_share: str) -> str:
    """The 6 digits that screen and console both show.

    trunc(SHA256(pk ‖ server_pk ‖ station's share ‖ platform's share)): first 8 bytes of the
    hash as a number, its last 6 decimal digits.
    """
    shares = bytes.fromhex(share) + bytes.fromhex(server_share)
    made = hashlib.sha256(_raw(pk) + _raw(server_pk) + shares).digest()
    return f"{int.from_bytes(made[:8], 'big') % 1_000_000:06d}"


def sign(key: Ed25519PrivateKey, purpose: str, body: dict[str, object]) -> str:
    """Ed25519 over `linli|{purpose}|` and the canonical JSON of `body` without `sig`."""
    return base64.b64encode(key.sign(_text(purpose, body))).decode()


def check(pk: str, purpose: str, body: dict[str, object], sig: str) -> None:
    """Check what `sign` made; `pk` may be a station's double key or the platform's.

    Raises:
        BadMessage: a key or signature does not have the form.
        BadSignature: not signed by that key.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(_raw(pk)[:32])
        key.verify(base64.b64decode(sig, validate=True), _text(purpose, body))
    except ValueError:
        raise BadMessage("malformed key or signature") from None
    except InvalidSignature:
        raise BadSignature(purpose) from None


def seal(pk: str, plain: bytes) -> str:
    """Encrypt to the X25519 half of `pk`: ephemeral public key, then AES-256-GCM.

    Raises:
        BadMessage: the key does not have the form.
    """
    try:
        station = X25519PublicKey.from_public_bytes(_raw(pk)[32:])
        once = X25519PrivateKey.generate()
        shared = once.exchange(station)
    except ValueError:
        raise BadMessage("malformed key") from None
    mine = once.public_key().public_bytes(*RAW)
    nonce = os.urandom(12)
    box = AESGCM(_box_key(shared, mine)).encrypt(nonce, plain, mine)
    return base64.b64encode(mine + nonce + box).decode()


def unseal(key: X25519PrivateKey, sealed: str) -> bytes:
    """Decrypt what `seal` made for this key.

    Raises:
        BadMessage: sealed for somebody else, or damaged.
    """
    try:
        raw = base64.b64decode(sealed, validate=True)
        shared = key.exchange(X25519PublicKey.from_public_bytes(raw[:32]))
        return AESGCM(_box_key(shared, raw[:32])).decrypt(raw[32:44], raw[44:], raw[:32])
    except (ValueError, InvalidTag):
        raise BadMessage("cannot unseal") from None


def _text(purpose: str, body: dict[str, object]) -> bytes:
    rest = {name: value for name, value in body.items() if name != "sig" and value is not None}
    return f"linli|{purpose}|".encode() + canonical(rest)


def _box_key(shared: bytes, once: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=once, info=b"linli|registration").derive(shared)


def _raw(pk: str) -> bytes:
    try:
        return base64.b64decode(pk, validate=True)
    except ValueError:
        raise BadMessage("malformed key") from None
