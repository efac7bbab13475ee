"""Service accounts, the clients of the open lane: who they are and what they may touch."""

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import jwt
from pwdlib.hashers.argon2 import Argon2Hasher

from broker.authority import Platform, ServiceAccount, well_formed
from broker.refusals import Reason, Refusal
from foundation.clock import Clock
from foundation.security import Keyring, same
from foundation.settings import Broker, Scopes

AUDIENCE: Final = "linli-mqtt"
_WAITING: Final = 16
"""Argon2 checks that may wait; each takes some 50 ms of one thread."""


class Accounts:
    """Judges logins of service accounts, from the settings or by a signed token.

    A configured secret is an argon2 hash (any argon2 tool makes one) or the secret itself.
    A token is a JWT (HS256, key `keyring.derive("mqtt-jwt")`) given as password: `aud`
    linli-mqtt, `sub` the user name, `exp`, and `publish` and `subscribe`, lists of topic
    filters; or `platform: true` for another process of the platform.
    """

    def __init__(self, settings: Broker, keyring: Keyring, clock: Clock) -> None:
        self._secrets = settings.service_accounts
        self._scopes = settings.service_scopes
        self._token_key = keyring.derive("mqtt-jwt")
        self._clock = clock
        self._hasher = Argon2Hasher()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argon2")
        self._waiting = 0
        self._salt = os.urandom(16)
        self._proved: dict[str, bytes] = {}

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def judge(self, name: str, password: bytes) -> ServiceAccount | Platform | Refusal:
        """Let an account in, or say why not."""
        if password.startswith(b"ey") and password.count(b".") == 2:
            return self._by_token(name, password)
        secret = self._secrets.get(name)
        if secret is None:
            return Refusal(Reason.UNKNOWN)
        expected = secret.get_secret_value()
        if not expected.startswith("$argon2"):
            right = same(password, expected.encode())
        elif self._waiting >= _WAITING:
            return Refusal(Reason.FULL)
        else:
            right = await self._matches(name, password, expected)
        if not right:
            return Refusal(Reason.WRONG)
        scopes = self._scopes.get(name, Scopes())
        return ServiceAccount(name, scopes.publish, scopes.subscribe)

    def _by_token(self, name: str, token: bytes) -> ServiceAccount | Platform | Refusal:
        try:
            claims = jwt.decode(
                token,
                self._token_key,
                algorithms=["HS256"],
                audience=AUDIENCE,
                # Times are judged by our clock below; a token without an end is none.
                options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False},
            )
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, OSError):
            return Refusal(Reason.WRONG)
        if claims["sub"] != name or expires_at <= self._clock():
            return Refusal(Reason.WRONG)
        if claims.get("platform") is True:
            return Platform(name)
        publish, subscribe = _filters(claims, "publish"), _filters(claims, "subscribe")
        return ServiceAccount(name, publish, subscribe, expires_at)

    async def _matches(self, name: str, password: bytes, expected: str) -> bool:
        """Check an argon2 hash off the loop; the last password that matched is remembered.

        So a flood of wrong passwords cannot keep an account out that reconnects.
        """
        digest = hashlib.sha256(self._salt + password).digest()
        if (known := self._proved.get(name)) is not None and same(known, digest):
            return True
        self._waiting += 1
        try:
            right = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._hasher.verify, password, expected
            )
        finally:
            self._waiting -= 1
        if right:
            self._proved[name] = digest
        return right


def _filters(claims: dict[str, object], name: str) -> tuple[str, ...]:
    """The well-formed filters of one claim; anything else in it gives no right."""
    given = claims.get(name)
    if not isinstance(given, list):
        return ()
    return tuple(scope for scope in given if isinstance(scope, str) and well_formed(scope))
