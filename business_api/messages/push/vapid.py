"""Telling push services who sends (RFC 8292, VAPID): a signed token for each of them."""

import base64
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from business_api.messages.push.encryption import encoded
from foundation.runner import Context
from foundation.security import Keyring, hkdf

LIFE: Final = timedelta(hours=12)
"""Of a token; a day is the most (section 2)."""
_REMEMBERED: Final = 1000
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (FIPS 186-5)."""


def private_key(keyring: Keyring) -> ec.EllipticCurvePrivateKey:
    """The platform's key, derived from the master key: nothing more to keep or to lose.

    With 64 bits more than needed, so that no value is likelier than another (FIPS 186-5, A.2.1).
    """
    seed = hkdf(keyring.derive("vapid"), "P-256", 40)
    return ec.derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def public_key(keyring: Keyring) -> str:
    """What a browser wants as `applicationServerKey`: 65 bytes in base64url, without padding."""
    return base64url(encoded(private_key(keyring).public_key()))


def base64url(raw: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Vapid:
    """Makes `Authorization` headers, and each at most twice in its life."""

    def __init__(self, context: Context) -> None:
        self._key = private_key(context.keyring)
        self._public = public_key(context.keyring)
        self._contact = _contact(context)
        self._made: OrderedDict[str, tuple[datetime, str]] = OrderedDict()

    def authorization(self, origin: str, now: datetime) -> str:
        """For the push service at `origin`, e.g. https://push.example.org."""
        made_at, header = self._made.get(origin, (now - LIFE, ""))
        if now - made_at > LIFE / 2 or made_at > now:
            header = f"vapid t={self._token(origin, now)}, k={self._public}"
            self._made[origin] = now, header
            self._made.move_to_end(origin)
            if len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        return header

    def _token(self, origin: str, now: datetime) -> str:
        claims = {"aud": origin, "exp": int((now + LIFE).timestamp())}
        if self._contact:
            claims["sub"] = self._contact
        return jwt.encode(claims, self._key, "ES256")


def _contact(context: Context) -> str:
    """Whom a push service may write to; some (Apple's) refuse who does not say it."""
    given = context.settings.messages.push_contact or context.settings.http.public_url
    return given if given.startswith(("mailto:", "https:")) else ""
