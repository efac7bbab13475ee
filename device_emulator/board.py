"""What every part of a station is soldered to: clocks, timers, flash, and the way out."""

import random
from collections import Counter
from typing import Final

from device_emulator.config import Config
from device_emulator.effects import Effect, SetClock, Step
from device_emulator.memory import COUNTERS, Memory
from foundation.ids import Mac

_CLOCK: Final = "clock"


class Board:
    """No I/O: time is handed in, effects are collected.

    `now` is milliseconds on the monotonic clock of whoever runs the station, set before
    every step; nothing here asks for the time.
    """

    def __init__(
        self,
        mac: Mac,
        config: Config,
        memory: Memory,
        *,
        now: int,
        unix_ms: int,
        rng: random.Random,
    ) -> None:
        self.mac, self.config, self.memory, self.rng = mac, config, memory, rng
        self.now = self._powered = now
        self._clock = unix_ms - now
        self._effects: list[Effect] = []
        self._timers: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        """What happened since power-up, by a short name; shown by `/state`."""
        self.counters = memory.read(COUNTERS)
        self.boot = int(self.counters.get("boot", 0)) + 1
        self.memory.put(COUNTERS, "boot", self.boot)
        self.clock_set = bool(memory.read(_CLOCK).get("set", False))
        """Whether the platform ever set this clock; a factory-new one shows anything."""

    @property
    def uptime(self) -> int:
        """Milliseconds since power-up. Never goes back, whatever the clock does."""
        return self.now - self._powered

    @property
    def unix_ms(self) -> int:
        """What the station's clock says; may be wrong."""
        return max(0, self.now + self._clock)

    def skew(self, ms: int) -> None:
        """Let the clock run off unnoticed."""
        self._clock += ms

    def set_clock(self, ms: int) -> None:
        """Move the clock by `ms` because the platform said so; it is trusted from here on."""
        if ms:
            self._clock += ms
            self.emit(SetClock(ms))
        if not self.clock_set:
            self.clock_set = True
            self.memory.put(_CLOCK, "set", True)

    def emit(self, effect: Effect) -> None:
        """Ask for `effect`, after the writes of this step and the effects before it."""
        self._effects.append(effect)

    def step(self) -> Step:
        """Hand over what was asked for since the last time."""
        effects, self._effects = self._effects, []
        return Step(self.memory.take(), effects)

    def after(self, name: str, ms: int) -> None:
        """Set, or set anew, the timer `name`."""
        self._timers[name] = self.now + max(1, ms)

    def cancel(self, name: str) -> None:
        """Forget the timer `name`."""
        self._timers.pop(name, None)

    def remaining(self, name: str) -> int:
        """Milliseconds until the timer `name`, 0 when it is not set."""
        return max(0, self._timers.get(name, self.now) - self.now)

    def running(self, name: str) -> bool:
        """Whether the timer `name` is set."""
        return name in self._timers

    def due(self) -> int | None:
        """When the next timer is due, on the clock of `now`."""
        return min(self._timers.values(), default=None)

    def expired(self) -> str | None:
        """The earliest timer that is due, taken off; None when none is."""
        name = min(self._timers, key=lambda name: (self._timers[name], name), default=None)
        if name is None or self._timers[name] > self.now:
            return None
        del self._timers[name]
        return name

    def jitter(self, ms: int, spread: float = 0.2) -> int:
        """`ms` give or take `spread` of it, so that a thousand stations do not move as one."""
        return int(ms * self.rng.uniform(1 - spread, 1 + spread))
