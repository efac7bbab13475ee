"""Keys and seals: everything secret is derived from one master key, or sealed with it.

Nothing here knows what it protects; callers name a purpose (`label`), and two purposes
never share a key.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from foundation.errors import DomainError, Kind

KEY_BYTES: Final = 32


class BadKey(DomainError):
    """The master key cannot be read, or does not open what it once sealed."""

    kind, code, title = Kind.UNAVAILABLE, "bad-key", "The master key is wrong"
    title_zh = "主密钥不正确"


def hkdf(key: bytes, label: str, length: int = KEY_BYTES) -> bytes:
    """Derive `length` bytes from `key` for one purpose (RFC 5869, no salt)."""
    return HKDF(SHA256(), length, salt=None, info=label.encode()).derive(key)


def same(left: str | bytes, right: str | bytes) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(
        left.encode() if isinstance(left, str) else left,
        right.encode() if isinstance(right, str) else right,
    )


def digest(text: str) -> str:
    """SHA-256 in hex: for tokens of full entropy only, never for passwords."""
    return hashlib.sha256(text.encode()).hexdigest()


class Keyring:
    """The master key and what is derived from it."""

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise BadKey("the master key must be 32 bytes (64 hex digits)")
        self._master = master
        self._seal = AESGCM(self.derive("seal"))

    def derive(self, label: str) -> bytes:
        """32 bytes for one purpose; the same every time."""
        return hkdf(self._master, label)

    def signing_key(self) -> Ed25519PrivateKey:
        """The platform's identity towards stations (`server_pk` in REG/1)."""
        return Ed25519PrivateKey.from_private_bytes(self.derive("server-sign"))

    def seal(self, plain: bytes, about: str) -> bytes:
        """Encrypt for storage (AES-256-GCM, 12-byte nonce in front), bound to `about`."""
        nonce = os.urandom(12)
        return nonce + self._seal.encrypt(nonce, plain, about.encode())

    def unseal(self, sealed: bytes, about: str) -> bytes:
        """Decrypt what `seal` made.

        Raises:
            BadKey: another master key sealed it, or it belongs to another `about`.
        """
        try:
            return self._seal.decrypt(sealed[:12], sealed[12:], about.encode())
        except (InvalidTag, ValueError):
            raise BadKey(f"cannot unseal: {about}") from None


def load_keyring(data_dir: Path, configured: str | None) -> Keyring:
    """The configured master key, or the one in `data_dir`, made (0600) at the first start.

    Raises:
        BadKey: it is not 64 hex digits.
    """
    if configured is None:
        path = data_dir / "master.key"
        if not path.exists():
            _make(path)
        configured = path.read_text().strip()
    try:
        return Keyring(bytes.fromhex(configured))
    except ValueError:
        raise BadKey("the master key must be 64 hex digits") from None


def _make(path: Path) -> None:
    """Write a new key whole, unless another process was first: then its key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
