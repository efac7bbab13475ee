"""The tokens of sign-in. No I/O: what they mean now is decided in `sessions`.

The access token is a JWT (HS256: whoever checks it is whoever makes it, and a signature
costs microseconds). The refresh token names its session and proves with a MAC that we made
it, so that a spent one can be told from a made-up one without keeping any. The challenge
stands between the first factor and the second: it opens nothing by itself.
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
from foundation.errors import DomainError, Kind
from foundation.ids import new_ulid
from foundation.security import Keyring

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "linli"
_RANDOM: Final = 32
_LONGEST: Final = 2048


class ChallengeOver(DomainError):
    """The challenge is not ours, too old, or the account has changed since: begin again."""

    kind, code, title = Kind.UNAUTHENTICATED, "challenge-over", "Sign in again from the beginning"
    title_zh = "验证已过期，请重新登录"


class Tokens:
    """Makes and reads them tokens with keys derived from the master key."""

    def __init__(self, keyring: Keyring) -> None:
        self._access = keyring.derive("jwt")
        self._refresh = keyring.derive("refresh-token")
        self._challenge = keyring.derive("sign-in-challenge")

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

    def challenge(self, account_id: UUID, state: str, *, now: datetime, life: timedelta) -> str:
        """A token that says: the first factor of this account was right.

        Args:
            account_id: whose.
            state: what must still be so when it is shown again (`of_state`).
            now: the time.
            life: how long it is good.
        """
        claims = {
            "iss": _ISSUER,
            "sub": str(account_id),
            "state": self.of_state(state),
            "exp": int((now + life).timestamp()),
        }
        return jwt.encode(claims, self._challenge, _ALGORITHM)

    def read_challenge(self, token: str, now: datetime) -> tuple[UUID, str]:
        """The account that a challenge names, and what `of_state` gave then.

        Raises:
            ChallengeOver: not ours, damaged, or too old.
        """
        try:
            claims = jwt.decode(
                token[:_LONGEST],
                self._challenge,
                [_ALGORITHM],
                issuer=_ISSUER,
                options={"verify_exp": False, "require": ["exp", "sub", "state"]},
            )
            if int(claims["exp"]) <= now.timestamp():
                raise ChallengeOver
            return UUID(claims["sub"]), str(claims["state"])
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise ChallengeOver from None

    def of_state(self, state: str) -> str:
        """A keyed hash, for comparing."""
        return hmac.digest(self._challenge, state.encode(), hashlib.sha256).hex()[:32]

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
