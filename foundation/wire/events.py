"""The station's journal: what happened at the door, kept until the platform has it."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from foundation.wire.base import Message, Route, Signed
from foundation.wire.hello import Counter

Seq = Annotated[int, Field(ge=1, le=2**53, description="number in the journal")]
Short = Annotated[str, Field(max_length=64)]
EventType = Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]

BATCH = 100
"""Most events in one message."""


class Event(BaseModel):
    """One line of the journal. `seq` is never reused; `ts` is Unix milliseconds.

    `clk` says whether the station trusted its clock. `acl` is the (epoch, seq) of the list
    that decided. Types are listed in `docs/wire.md`; an unknown one is stored as it is.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seq: Seq = Field(description="its number; never reused")
    boot: Counter = Field(description="power-up it happened in")
    ts: int = Field(ge=0, le=2**53, description="Unix milliseconds by the station's clock")
    clk: Literal["ok", "untrusted"] = Field("ok", description="whether it trusted that clock")
    type: EventType = Field(description="what happened; see the list of types")
    door: int = Field(1, ge=0, le=255, description="relay, from 1")
    result: Short | None = Field(None, description="how it ended")
    reason: Short | None = Field(None, description="why")
    kind: Short | None = Field(None, description="of the credential: card, fp, pin, ble")
    cid: Short | None = Field(None, description="credential")
    value_hash: Short | None = Field(None, description="of an unknown credential, hashed")
    house: Short | None = Field(None, description="house it belongs to")
    call_id: Short | None = Field(None, description="call it belongs to")
    cmd_id: Short | None = Field(None, description="command it answers")
    acl: tuple[Counter, Counter] | None = Field(
        None, description="epoch, seq of the access list that decided"
    )
    snap: Short | None = Field(None, description="SHA-256 of a snapshot")
    hold_ms: Counter | None = Field(None, description="how long the relay is held, milliseconds")
    duration_ms: Counter | None = Field(None, description="how long it lasted, milliseconds")
    lost: tuple[Seq, Seq] | None = Field(None, description="of a `gap`: first, last dropped")


class EventBatch(Message):
    """Station to platform, `up/s/evt`, QoS 1. PUBACK means nothing here: wait for `evtack`.

    In order of `seq`, the oldest not acknowledged first. `prev` is the seq of the event that
    the station holds before these, 0 when they are its oldest: so a hole that it made itself
    (`gap`) differs from a message that was lost, behind which nothing is acknowledged.
    Without `prev` it counts as the number before the first.
    """

    ROUTE: ClassVar = Route("evt", "up")

    events: tuple[Event, ...] = Field(
        min_length=1, max_length=BATCH, description="in order of `seq`"
    )
    prev: Counter | None = Field(None, description="seq held before these; 0: they are the oldest")


class EventAck(Signed):
    """Platform to station, `dn/s/evtack`, QoS 1, signed with K_dn, after COMMIT.

    Every event up to and including `upto` is stored; the station may forget them.
    """

    ROUTE: ClassVar = Route("evtack", "dn")

    upto: Seq = Field(description="last number that is stored")
