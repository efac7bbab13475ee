"""The two tokens of a session. No I/O: what they mean now is decided in `sessions`.

The access token is a JWT (HS256: whoever checks it is whoever makes it, and a signature
costs microseconds). The refresh token names its session and proves with a MAC that we made
it, so that a spent one can be told from a made-up one without keeping any.
"""

import base64
import binascii
import hashlib
import hmac
import os
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import jwt

from business_api.deps import NotSignedIn
from foundation.ids import new_ulid
from foundation.security import Keyring

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "linli"
_RANDOM: Final = 32
_LONGEST: Final = 2048


class Tokens:
    """Makes and reads both tokens with keys derived from the master key."""

    def __init__(self, keyring: Keyring) -> None:
        self._access = keyring.derive("jwt")
        self._refresh = keyring.derive("refresh-token")

    def access(
        self,
        account_id: UUID,
        session_id: UUID,
        *,
        now: datetime,
        life: timedelta,
    ) -> str:
        """A token that is good until `now + life`, as long as its session lives."""
        claims = {
            "iss": _ISSUER,
            "sub": str(account_id),
            "sid": str(session_id),
            "iat": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
            "jti": new_ulid(),
        }
        return jwt.encode(claims, self._access, _ALGORITHM)

    def read_access(self, token: str, now: datetime) -> tuple[UUID, UUID]:
        """The account and the session that a token names.

        Raises:
            NotSignedIn: not ours, damaged, or too old.
        """
        if len(token) > _LONGEST:
            raise NotSignedIn
        try:
            claims = jwt.decode(
                token,
                self._access,
                [_ALGORITHM],
                issuer=_ISSUER,
                # Time is ours to tell: the clock of the platform, not that of the library.
                options={
                    "verify_exp": False,
                    "verify_iat": False,
                    "require": ["exp", "sub", "sid"],
                },
            )
            if int(claims["exp"]) <= now.timestamp():
                raise NotSignedIn("the access token is too old")
            return UUID(claims["sub"]), UUID(claims["sid"])
        except (jwt.InvalidTokenError, ValueError):
            raise NotSignedIn from None

    def refresh(self, session_id: UUID) -> str:
        """A new refresh token of a session: 16 bytes id, 32 random, 32 MAC, in base64url."""
        body = session_id.bytes + os.urandom(_RANDOM)
        return base64.urlsafe_b64encode(body + self._mac(body)).decode().rstrip("=")

    def read_refresh(self, token: str) -> UUID:
        """The session that a refresh token was made for, spent or not.

        Raises:
            NotSignedIn: we did not make it.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise NotSignedIn from None
        body, mac = raw[: 16 + _RANDOM], raw[16 + _RANDOM :]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise NotSignedIn
        return UUID(bytes=body[:16])

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._refresh, body, hashlib.sha256)
