"""How a station says that it is here, and how it is."""

import hashlib
import hmac
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from foundation.ids import Mac
from foundation.wire.base import Message, Route, Signed

Session = Annotated[
    str, Field(pattern=r"^[0-9a-f]{32}$", description="128 random bits of this connection, in hex")
]
Uptime = Annotated[int, Field(ge=0, le=2**53, description="milliseconds since boot")]
Counter = Annotated[int, Field(ge=0, le=2**53)]
Version = tuple[Counter, Annotated[str, Field(max_length=64)]]


class Capacity(BaseModel):
    """What a station can hold."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rows: Counter = Field(5000, description="credentials")
    fp: Counter = Field(1000, description="fingerprint templates")
    chunk_bytes: Counter = Field(16384, description="longest message it takes")


class Hello(Signed):
    """Station to platform after every connect, `up/s/hello`, QoS 1, signed with K_up.

    `sess` is 128 random bits of this connection: commands carry it, so that nothing
    captured before can work. `boot` counts power-ups and never goes back. `acl` is
    (epoch, seq, digest, count) of the access list, `evt` (first, last) of the journal.
    """

    ROUTE: ClassVar = Route("hello", "up")

    boot: Counter = Field(description="power-ups; never goes back")
    sess: Session
    up_ms: Uptime
    fw: str = Field(max_length=32, description="firmware")
    hw: str = Field("", max_length=32, description="hardware")
    schema_: int = Field(1, alias="schema", ge=1, description="version of these messages")
    acl: tuple[Counter, Counter, str, Counter] = Field(
        (0, 0, "", 0), description="access list: epoch, seq, digest, count"
    )
    cap: Capacity = Field(Capacity(), description="what it can hold")
    cfg: Version = Field((0, ""), description="configuration: version, hash")
    media: Version = Field((0, ""), description="advertisements: version, hash")
    evt: tuple[Counter, Counter] = Field((0, 0), description="journal: first, last seq held")
    secret_ver: Counter = Field(1, description="version of the secret it logged in with")

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, serialize_by_alias=True
    )


class Heartbeat(Message):
    """Station to platform every 30 s, `up/s/hb`, QoS 0.

    Not signed but for its uptime, by `proof`: HMAC-SHA256(K_up, "v1|{mac12}|hb|{sess}|{up_ms}")
    in hex. Deadlines of commands are told in it, so one that is not proven is not believed.
    """

    ROUTE: ClassVar = Route("hb", "up", qos=0)

    sess: Session
    up_ms: Uptime
    acl: tuple[Counter, Counter, str] = Field(
        (0, 0, ""), description="access list: epoch, seq, digest"
    )
    door: tuple[str, ...] = Field((), max_length=8, description="open | closed, by door")
    rssi: int | None = Field(None, ge=-200, le=0, description="radio signal, dBm")
    mem: int | None = Field(None, ge=0, description="free storage, bytes")
    tmp: float | None = Field(None, ge=-60, le=150, description="degrees Celsius")
    clk_ms: int | None = Field(None, description="offset of its clock, milliseconds")
    ads_playing: str | None = Field(None, max_length=64, description="advertisement on screen")
    proof: str | None = Field(None, max_length=64, description="of `sess` and `up_ms`; see above")

    def proven(self, key: bytes, station: Mac) -> Self:
        """The same with its proof."""
        return self.model_copy(update={"proof": uptime_proof(key, station, self.sess, self.up_ms)})


def uptime_proof(key: bytes, station: Mac, sess: str, up_ms: int) -> str:
    """See `Heartbeat`."""
    text = f"v1|{station}|{Heartbeat.ROUTE.name}|{sess}|{up_ms}".encode()
    return hmac.digest(key, text, hashlib.sha256).hex()


class Will(Message):
    """Published by the broker when a station is gone, `up/s/lwt`, QoS 1, never retained."""

    ROUTE: ClassVar = Route("lwt", "up")

    sess: Session


class Rotate(Signed):
    """Platform to station, `dn/s/rotate`, QoS 1, signed with K_dn: fetch secret `secret_ver`.

    The station calls enrolment again and finds the new secret there; the old one works
    until the new one was used, or for 24 h.
    """

    ROUTE: ClassVar = Route("rotate", "dn")

    secret_ver: Counter = Field(description="version to fetch")
