"""What happens to a station. Plain values, no behaviour."""

from dataclasses import dataclass, field
from typing import Literal

from device_emulator.credentials import Credential, CredentialKind, Mode
from device_emulator.effects import Pulse
from foundation.wire.enroll import EnrollAnswer, TimeAnswer


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the keypad: 0-9, `*` or `#`."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Presented:
    """A card or a finger on its reader; `value` is canonical."""

    kind: Literal["card", "fp"]
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sensor:
    """The door sensor."""

    open: bool
    door: int = 1


@dataclass(frozen=True, slots=True)
class Tamper:
    """The casing was opened, or closed again."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Fire:
    """The fire input."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Levels:
    """What sensors and inputs read at power-up."""

    fire: bool = False
    tampered: bool = False
    open: frozenset[int] = frozenset()
    """Doors that stand open."""


@dataclass(frozen=True, slots=True)
class SetMode:
    """Lockdown or evacuation ordered, or lifted."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Learn:
    """Know this credential from now on."""

    credential: Credential


@dataclass(frozen=True, slots=True)
class Forget:
    """Do not know this credential any more."""

    kind: CredentialKind
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Skew:
    """The clock runs off by this much, and the station cannot know."""

    ms: int


@dataclass(frozen=True, slots=True)
class Received:
    """A PUBLISH came."""

    topic: str
    payload: bytes = field(repr=False)
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """CONNACK 0 came, and the subscriptions are sent."""


@dataclass(frozen=True, slots=True)
class Refused:
    """CONNACK `code`, or 128 for a refused subscription."""

    code: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended, or did not come about."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker acknowledged the QoS 1 message sent under `key`."""

    key: str


@dataclass(frozen=True, slots=True)
class EnrolAnswered:
    """The platform answered; nothing in it is checked yet."""

    answer: EnrollAnswer


@dataclass(frozen=True, slots=True)
class TimeAnswered:
    """The platform told the time; nothing in it is checked yet."""

    answer: TimeAnswer


@dataclass(frozen=True, slots=True)
class ContactFailed:
    """No answer that can be used. `status` is the HTTP status, 0 when there was none."""

    status: int = 0
    retry_after: int | None = None
    """Seconds the platform asks to wait."""


@dataclass(frozen=True, slots=True)
class Actuated:
    """The lock did, or, past its deadline, did not do a `Pulse`."""

    pulse: Pulse
    done: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; every input says that as well."""


Input = (
    Key
    | Presented
    | Sensor
    | Tamper
    | Fire
    | Levels
    | SetMode
    | Learn
    | Forget
    | Skew
    | Received
    | Connected
    | Refused
    | Disconnected
    | Acked
    | EnrolAnswered
    | TimeAnswered
    | ContactFailed
    | Actuated
    | Tick
)
