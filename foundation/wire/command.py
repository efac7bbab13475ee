"""Opening a door: the only live command, and its answer (`docs/wire.md`, rules R1-R7)."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from foundation.wire.base import Route, Signed
from foundation.wire.hello import Counter, Session, Uptime

CommandId = Annotated[
    str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$", description="ULID of the command")
]

MAX_AHEAD_MS = 15_000
"""A deadline further ahead than this is refused: no honest platform sends one."""


class By(BaseModel):
    """In whose name the door opens."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    t: Literal["resident", "admin", "call", "visitor", "sip"] = Field(description="what kind")
    ref: str = Field(max_length=64, description="who, opaque to the station")
    house: str | None = Field(None, max_length=64, description="in whose house's name")


class Command(Signed):
    """Platform to station, `dn/c/cmd`, QoS 0, never retained, signed with K_cmd.

    `exp_up` is the deadline in the station's own uptime (ms): no clock is involved, and a
    late delivery makes it early. `ctr` grows strictly inside one `sess`. `hold` in seconds.
    """

    ROUTE: ClassVar = Route("cmd", "dn", "c", 0)

    v: Literal[1] = Field(1, description="version")
    id: CommandId
    op: Literal["open"] = Field("open", description="what to do")
    door: int = Field(1, ge=0, le=255, description="relay, from 1")
    hold: int = Field(5, ge=0, le=255, description="seconds; a station refuses more than 30")
    sess: Session
    ctr: Counter = Field(description="grows strictly inside `sess`; gaps are normal")
    exp_up: Uptime = Field(description="deadline in the station's own uptime, milliseconds")
    by: By = Field(description="in whose name")
    call: str | None = Field(None, max_length=64, description="call it belongs to")
    pol: str | None = Field(None, max_length=32, description="policy that allowed it")


class Code(StrEnum):
    """What became of a command at the station (R6)."""

    OK = "ok"
    EXPIRED = "expired"
    REPLAY = "replay"
    BAD_MAC = "bad_mac"
    WRONG_SESS = "wrong_sess"
    LOCKDOWN = "lockdown"
    BUSY = "busy"
    NO_DOOR = "no_door"
    RATE = "rate"


class Result(Signed):
    """Station to platform, `up/s/res`, QoS 1, signed with K_up: the answer to command `id`.

    A repeated command is answered with the stored result and opens nothing.
    """

    ROUTE: ClassVar = Route("res", "up")

    id: CommandId
    sess: Session
    code: Code = Field(description="what became of it (R6)")
    door: int = Field(ge=0, le=255, description="relay, from 1")
    pulsed_ms: int = Field(0, ge=0, description="how long the relay is held, milliseconds")
    journal_seq: int | None = Field(None, ge=1, description="its line in the journal")
