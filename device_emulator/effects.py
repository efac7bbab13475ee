"""What a station wants done. Plain values, no behaviour."""

from dataclasses import dataclass, field
from typing import Literal

from device_emulator.memory import Write
from foundation.wire.enroll import EnrollRequest, MqttAddress


@dataclass(frozen=True, slots=True)
class Publish:
    """Send this. A `key` asks for `Acked(key)` when the broker has it (QoS 1)."""

    topic: str
    payload: bytes = field(repr=False)
    qos: Literal[0, 1] = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect with a clean session, subscribe, and leave this will behind (QoS 1, not kept)."""

    address: MqttAddress
    client_id: str
    username: str
    password: str = field(repr=False)
    keepalive: int
    will_topic: str
    will: bytes
    subscriptions: tuple[tuple[str, int], ...]
    network: int = 1
    """The Wi-Fi network it goes over."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """End the connection politely; the answer is `Disconnected`."""


@dataclass(frozen=True, slots=True)
class Enrol:
    """Call the platform's enrolment."""

    request: EnrollRequest


@dataclass(frozen=True, slots=True)
class AskTime:
    """Ask the platform for the time."""

    nonce: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """Hold the relay for `ms`, unless the uptime is past `not_after` by then.

    The lock tells with `Actuated` what it did.
    """

    door: int
    ms: int
    cause: str
    """cmd, card, fp or pin."""
    ref: str = ""
    """The id of the command."""
    not_after: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the relay until `Release`: evacuation."""

    door: int


@dataclass(frozen=True, slots=True)
class Release:
    """Secure the door."""

    door: int


@dataclass(frozen=True, slots=True)
class SetClock:
    """Move the battery-backed clock by this many milliseconds."""

    ms: int


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart."""


Effect = (
    Publish | Connect | Disconnect | Enrol | AskTime | Pulse | Hold | Release | SetClock | Reboot
)


@dataclass(frozen=True, slots=True)
class Step:
    """What one input led to: first make the writes durable, then do the effects in order."""

    writes: list[Write]
    effects: list[Effect]
