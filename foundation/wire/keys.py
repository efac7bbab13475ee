"""Keys derived from a station's secret, and its one-time broker password (REG/1, step 5)."""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import NamedTuple, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from foundation.ids import Mac


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """HKDF-SHA256(secret, label), 32 bytes each: one key, one purpose."""

    auth: bytes
    """Broker passwords."""
    cmd: bytes
    """Live commands (`dn/c/cmd`)."""
    dn: bytes
    """State sent to the station (`dn/s/…`)."""
    up: bytes
    """What the station signs (`up/s/…`)."""

    @classmethod
    def of(cls, secret: bytes) -> Self:
        """Derive all keys from the 32-byte secret of a station."""
        return cls(*(_hkdf(secret, label) for label in ("auth", "cmd", "dn", "up")))


class Password(NamedTuple):
    """A one-time password taken apart; `tag` is not checked yet."""

    ts: int
    nonce: str
    tag: bytes


def password(keys: DeviceKeys, mac: Mac, comm_code: str, ts: int) -> str:
    """`b64(ts|nonce|HMAC(K_auth, "mqtt|mac|code|ts|nonce"))`; `ts` in Unix seconds."""
    nonce = secrets.token_hex(8)
    tag = _tag(keys.auth, mac, comm_code, ts, nonce)
    return base64.b64encode(f"{ts}|{nonce}|".encode() + tag).decode()


def read_password(text: str) -> Password | None:
    """Take a password apart; None when it does not have the form."""
    try:
        ts, nonce, tag = base64.b64decode(text, validate=True).split(b"|", 2)
        if len(tag) != 32 or len(nonce) != 16 or len(ts) > 12:
            return None
        return Password(int(ts), nonce.decode("ascii"), tag)
    except (ValueError, binascii.Error):
        return None


def password_is_right(given: Password, auth_key: bytes, mac: Mac, comm_code: str) -> bool:
    """Whether `given` was made with this key for this station. Not: whether it is fresh."""
    return hmac.compare_digest(given.tag, _tag(auth_key, mac, comm_code, given.ts, given.nonce))


def _tag(key: bytes, mac: Mac, comm_code: str, ts: int, nonce: str) -> bytes:
    return hmac.digest(key, f"mqtt|{mac}|{comm_code}|{ts}|{nonce}".encode(), hashlib.sha256)


def _hkdf(secret: bytes, label: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=label.encode()).derive(secret)
