"""A browser that subscribes to pushes, and the push service that it uses.

What it gets is opened by `http_ece`, which is not ours, and the token of the sender is
checked as RFC 8292 wants it.
"""

import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import http_ece
import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.business_api.messages.peer import Answer, Peer, Request, peer


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Browser:
    """One subscription."""

    endpoint: str
    secret: bytes = field(default_factory=lambda: os.urandom(16))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def json(self) -> dict[str, Any]:
        """As `PushSubscription.toJSON()`."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": b64(point), "auth": b64(self.secret)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def read(self, request: Request) -> Any:
        """What the service worker is given."""
        assert request.headers["content-encoding"] == "aes128gcm"
        plain = http_ece.decrypt(
            request.body, private_key=self.key, auth_secret=self.secret, version="aes128gcm"
        )
        return json.loads(plain)


@dataclass
class Service:
    """A push service."""

    peer: Peer
    answers: dict[str, Answer] = field(default_factory=dict)
    """By path; 201 where there is none."""

    def browser(self, name: str) -> Browser:
        return Browser(f"{self.peer.url}/push/{name}")

    def got(self, name: str) -> list[Request]:
        return [each for each in self.peer.requests if each.path == f"/push/{name}"]


@asynccontextmanager
async def push_service() -> AsyncIterator[Service]:
    service: Service | None = None

    def answer(request: Request) -> Answer:
        assert service is not None
        return service.answers.get(request.path, Answer(201))

    async with peer(answer) as here:
        service = Service(here)
        yield service


def sender(request: Request) -> tuple[dict[str, Any], bytes]:
    """The claims of who pushes, and its public key; both as the service checks them."""
    scheme, _, rest = request.headers["authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    raw = unb64(parts["k"])
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    claims: dict[str, Any] = jwt.decode(
        parts["t"],
        key,
        algorithms=["ES256"],
        audience=f"http://{request.headers['host']}",
        options={"require": ["aud", "exp"]},
    )
    return claims, raw


async def subscribe(
    client: httpx.AsyncClient, headers: dict[str, str], browser: Browser
) -> httpx.Response:
    return await client.post("/v1/me/push-subscriptions", headers=headers, json=browser.json)
