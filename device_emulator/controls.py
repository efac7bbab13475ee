"""The control surface by name, as HTTP and fault scripts call it: arguments read and checked."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from device_emulator.credentials import Credential, CredentialKind, Mode
from device_emulator.emulated import Emulated
from foundation.errors import DomainError, Kind

Uid = Annotated[str, StringConstraints(pattern=r"^([0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{20})$")]
"""A card's UID: 4, 7 or 10 bytes in upper-case hex, in the order the reader gives them."""
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,16}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Keys = Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,64}$")]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class BadControl(DomainError):
    """There is no such control, or not with these arguments."""

    kind, code, title = Kind.INVALID, "bad-control", "No such control"
    title_zh = "控制指令不正确"


class NoSuchStation(DomainError):
    """The fleet has no station with this MAC."""

    kind, code, title = Kind.NOT_FOUND, "no-such-station", "No such station"
    title_zh = "没有该设备"


class Arguments(BaseModel):
    """Of a control without any."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Press(Arguments):
    """Keys, one after another."""

    key: Keys


class Card(Arguments):
    """A card at the reader."""

    uid: Uid


class Finger(Arguments):
    """A finger on the sensor."""

    id: Name


class Sensor(Arguments):
    """The door opens or closes."""

    open: bool
    door: int = Field(1, ge=1, le=255)


class Switch(Arguments):
    """Something comes on, or goes off."""

    on: bool = True


class SetMode(Arguments):
    """Lockdown, evacuation or normal."""

    mode: Mode


class Pause(Arguments):
    """So long without power."""

    seconds: Seconds = 0


class Cut(Arguments):
    """So long without a network."""

    seconds: Seconds


class Shift(Arguments):
    """By so much the clock runs off."""

    seconds: float = Field(ge=-(10**9), le=10**9)


class Rollback(Arguments):
    """With `counters`, those go back too."""

    counters: bool = False


class Known(Arguments):
    """A card (its UID), a finger (its id) or a PIN (its digits)."""

    kind: CredentialKind
    value: str

    @model_validator(mode="after")
    def _has_its_form(self) -> Self:
        _FORM[self.kind].validate_python(self.value)
        return self


class Learn(Known):
    """One to know, with its limits."""

    cid: str = Field("", max_length=64)
    house: str | None = Field(None, max_length=64)
    not_before: int | None = Field(None, ge=0)
    not_after: int | None = Field(None, ge=0)
    flag: Literal["", "emergency", "admin"] = ""


_FORM: Final[dict[CredentialKind, TypeAdapter[str]]] = {
    "card": TypeAdapter(Uid),
    "fp": TypeAdapter(Name),
    "pin": TypeAdapter(Digits),
}


class Control(NamedTuple):
    """One control: the shape of its arguments, and what it does with them."""

    shape: type[Arguments]
    act: Callable[[Emulated, Any], None]


CONTROLS: Final[dict[str, Control]] = {
    "key": Control(Press, lambda station, it: station.key(it.key)),
    "card": Control(Card, lambda station, it: station.card(it.uid)),
    "finger": Control(Finger, lambda station, it: station.finger(it.id)),
    "sensor": Control(Sensor, lambda station, it: station.sensor(it.open, it.door)),
    "tamper": Control(Switch, lambda station, it: station.tamper(it.on)),
    "fire": Control(Switch, lambda station, it: station.fire(it.on)),
    "mode": Control(SetMode, lambda station, it: station.mode(it.mode)),
    "power_cycle": Control(Pause, lambda station, it: station.power_cycle(it.seconds)),
    "wipe": Control(Arguments, lambda station, _: station.wipe()),
    "snapshot": Control(Arguments, lambda station, _: station.snapshot()),
    "flash_rollback": Control(
        Rollback, lambda station, it: station.flash_rollback(counters=it.counters)
    ),
    "drop_net": Control(Cut, lambda station, it: station.drop_net(it.seconds)),
    "skew_clock": Control(Shift, lambda station, it: station.skew_clock(it.seconds)),
    "learn": Control(Learn, lambda station, it: station.learn(Credential(**it.model_dump()))),
    "forget": Control(Known, lambda station, it: station.forget(it.kind, it.value)),
}


def parse(control: str, arguments: dict[str, Any]) -> Callable[[Emulated], None]:
    """Read a control off JSON: what to do to a station.

    Raises:
        BadControl: see there.
    """
    found = CONTROLS.get(control)
    if found is None:
        raise BadControl(f"there is no {control!r}; there are {', '.join(CONTROLS)}")
    try:
        read = found.shape.model_validate(arguments)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, fault["loc"])) or "value" for fault in error.errors())
        raise BadControl(f"{control}: wrong or missing: {wrong}") from None
    return lambda station: found.act(station, read)
