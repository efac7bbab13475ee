"""The station's journal: what happened at the door, kept until the platform has it."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from foundation.wire.base import Message, Route, Signed
from foundation.wire.hello import Counter

Seq = Annotated[int, Field(ge=1, le=2**53)]
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

    seq: Seq
    boot: Counter
    ts: int = Field(ge=0, le=2**53)
    clk: Literal["ok", "untrusted"] = "ok"
    type: EventType
    door: int = Field(1, ge=0, le=255)
    result: Short | None = None
    reason: Short | None = None
    kind: Short | None = None
    cid: Short | None = None
    value_hash: Short | None = None
    house: Short | None = None
    call_id: Short | None = None
    cmd_id: Short | None = None
    acl: tuple[Counter, Counter] | None = None
    snap: Short | None = None
    hold_ms: Counter | None = None
    duration_ms: Counter | None = None
    lost: tuple[Seq, Seq] | None = Field(None, description="of a `gap`: first, last dropped")


class EventBatch(Message):
    """Station to platform, `up/s/evt`, QoS 1. PUBACK means nothing here: wait for `evtack`.

    In order of `seq`, the oldest not acknowledged first. `prev` is the seq of the event that
    the station holds before these, 0 when they are its oldest: so a hole that it made itself
    (`gap`) differs from a message that was lost, behind which nothing is acknowledged.
    Without `prev` it counts as the number before the first.
    """

    ROUTE: ClassVar = Route("evt", "up")

    events: tuple[Event, ...] = Field(min_length=1, max_length=BATCH)
    prev: Counter | None = None


class EventAck(Signed):
    """Platform to station, `dn/s/evtack`, QoS 1, signed with K_dn, after COMMIT.

    Every event up to and including `upto` is stored; the station may forget them.
    """

    ROUTE: ClassVar = Route("evtack", "dn")

    upto: Seq
