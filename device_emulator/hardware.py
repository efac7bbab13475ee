"""What is around the flash and the processor of a station: lock, clock chip, network."""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from device_emulator.inputs import Levels

_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class PulseRecord:
    """One pulse that the lock was given, as an instrument at the relay would write it down."""

    door: int
    ms: int
    cause: str
    """cmd, card, fp or pin. A relay held for an evacuation is no pulse."""
    command_id: str
    boot: int
    up_ms: int
    """Uptime of the station at the pulse; a command's must not be past its `exp_up`."""
    not_after: int | None
    at_ms: int
    """Unix milliseconds by the true clock."""


@dataclass(slots=True)
class Hardware:
    """Outlives power cycles, wipes and roll-backs."""

    rtc_skew: int = 0
    """By how many milliseconds the battery-backed clock is off."""
    fire: bool = False
    tampered: bool = False
    open: set[int] = field(default_factory=set)
    """Doors that stand open."""
    relays: dict[int, bool] = field(default_factory=dict)
    """Door -> held."""
    pulses: deque[PulseRecord] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """The last ones, oldest first."""
    no_network_until: int = 0
    dead_networks: frozenset[int] = frozenset({9})
    """Wi-Fi networks that nobody answers on."""

    def levels(self) -> Levels:
        """What a station reads when it powers up."""
        return Levels(self.fire, self.tampered, frozenset(self.open))

    def told(self, last: int = 100) -> dict[str, Any]:
        """For `/state`, with the last pulses."""
        return {
            "relays": {str(door): on for door, on in self.relays.items()},
            "pulses": [asdict(pulse) for pulse in list(self.pulses)[-last:]],
            "pulse_count": len(self.pulses),
        }
