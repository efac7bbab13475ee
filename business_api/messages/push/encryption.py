"""Message encryption for Web Push (RFC 8291): content that no push service can read."""

import os
import struct
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BYTES: Final = 65
"""Of a browser's public key: a point of P-256, uncompressed."""
SECRET_BYTES: Final = 16

RECORD: Final = 4096
"""Bytes of the one record, and the most that a push service must take (RFC 8030, 7.2)."""
_OVERHEAD: Final = 16 + 4 + 1 + KEY_BYTES + 1 + 16
LONGEST: Final = RECORD - _OVERHEAD
_STEP: Final = 512
"""Content is padded to a multiple of it: its length tells little of what it says."""


class BadBrowserKey(ValueError):
    """Not a point of P-256, or not a secret of 16 bytes."""


def browser_key(encoded: bytes) -> ec.EllipticCurvePublicKey:
    """A browser's public key (`p256dh`).

    Raises:
        BadBrowserKey: it is none.
    """
    if len(encoded) != KEY_BYTES:
        raise BadBrowserKey
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
    except ValueError:
        raise BadBrowserKey from None


def encrypt(
    content: bytes,
    key: bytes,
    secret: bytes,
    *,
    salt: bytes | None = None,
    ours: ec.EllipticCurvePrivateKey | None = None,
    step: int = _STEP,
) -> bytes:
    """The body of a push request, with `Content-Encoding: aes128gcm` (RFC 8188).

    Args:
        content: at most `LONGEST` bytes.
        key: the browser's public key (`p256dh`), 65 bytes.
        secret: the browser's `auth`, 16 bytes.
        salt: 16 random bytes; given by tests only, like `ours`.
        ours: a key of this message alone.
        step: what the length is padded to a multiple of.

    Raises:
        BadBrowserKey: `key` or `secret` is none.
        ValueError: `content` is too long.
    """
    if len(secret) != SECRET_BYTES:
        raise BadBrowserKey
    if len(content) > LONGEST:
        raise ValueError("too long for a push message")
    theirs = browser_key(key)
    ours = ours or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    public = encoded(ours.public_key())
    info = b"WebPush: info\0" + key + public
    shared = _derive(ours.exchange(ec.ECDH(), theirs), secret, info, 32)
    content_key = _derive(shared, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(shared, salt, b"Content-Encoding: nonce\0", 12)
    padding = min(-(len(content) + 1) % step, LONGEST - len(content))
    sealed = AESGCM(content_key).encrypt(nonce, content + b"\2" + bytes(padding), None)
    return salt + struct.pack("!IB", RECORD, len(public)) + public + sealed


def encoded(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derive(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(key)
