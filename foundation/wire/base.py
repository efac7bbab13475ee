"""What every MQTT message has in common: strict JSON in, canonical JSON out, a signature."""

import hashlib
import hmac
import json
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.errors import DomainError, Kind
from foundation.ids import Mac


class BadMessage(DomainError):
    """The payload is not a message of the kind its topic promises."""

    kind, code, title = Kind.INVALID, "bad-message", "The message cannot be read"
    title_zh = "消息无法解析"


class BadSignature(DomainError):
    """The message was not made by who holds the key."""

    kind, code, title = Kind.FORBIDDEN, "bad-signature", "The signature is wrong"
    title_zh = "签名不正确"


class Route(NamedTuple):
    """Where a message travels; `docs/wire.md` is made from it."""

    name: str
    way: Literal["up", "dn"]
    lane: Literal["s", "c"] = "s"
    qos: Literal[0, 1] = 1


class Message(BaseModel):
    """A payload. Unknown fields are ignored, so an old peer can read a new one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ROUTE: ClassVar[Route]

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read a payload off the wire.

        Raises:
            BadMessage: not JSON, or not this message.
        """
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            raise BadMessage(f"{cls.__name__}: {error.error_count()} faults") from None

    def dump(self) -> bytes:
        """The payload to publish."""
        return self.model_dump_json(exclude_none=True).encode()


class Signed(Message):
    """A message with `mac` = HMAC-SHA256(key, "v1|{mac12}|{name}|{canonical body}") in hex.

    The body is signed as it was sent, fields that this version does not know included.
    """

    mac: str = Field("", description="signature, 64 hex digits; not the station's MAC")

    def sign(self, key: bytes, station: Mac) -> bytes:
        """The signed payload to publish to, or from, `station`."""
        body = self.model_dump(mode="json", exclude={"mac"}, exclude_none=True)
        body["mac"] = signature(key, station, self.ROUTE.name, body)
        return canonical(body)

    @classmethod
    def verify(cls, payload: bytes, key: bytes, station: Mac) -> Self:
        """Read a payload and check that it was signed for `station` with `key`.

        Raises:
            BadMessage: not JSON, or not this message.
            BadSignature: signed with another key, for another station or as another message.
        """
        body = load_object(payload)
        given = body.pop("mac", None)
        expected = signature(key, station, cls.ROUTE.name, body)
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), expected.encode()):
            raise BadSignature(f"{cls.__name__} for {station}")
        try:
            return cls.model_validate(body | {"mac": given})
        except ValidationError as error:
            raise BadMessage(f"{cls.__name__}: {error.error_count()} faults") from None


def load_object(payload: bytes) -> dict[str, Any]:
    """The JSON object in `payload`.

    Raises:
        BadMessage: not JSON, or not an object.
    """
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadMessage("not JSON") from None
    if not isinstance(body, dict):
        raise BadMessage("not a JSON object")
    return body


# Made once: `json.dumps` with arguments of its own makes an encoder for every call.
_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(body: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8: the same bytes for the same value.

    Raises:
        BadMessage: nested more deeply than can be written. What could just be read may be.
    """
    try:
        text = _encode(body)
    except RecursionError:
        raise BadMessage("nested too deeply") from None
    return text.encode(errors="surrogatepass")


def signature(key: bytes, station: Mac, name: str, body: dict[str, Any]) -> str:
    """See `Signed`."""
    text = f"v1|{station}|{name}|".encode() + canonical(body)
    return hmac.digest(key, text, hashlib.sha256).hex()
