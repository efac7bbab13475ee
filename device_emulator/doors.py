"""The locks and what the door sensors say of them (R11)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from device_emulator.board import Board
from device_emulator.effects import Hold, Pulse, Release
from device_emulator.journal import Journal

SLACK: Final = 2000
"""A door may report that it opened this long (ms) after the relay let go."""


@dataclass(slots=True)
class Door:
    """One door. Times are the board's `now`; a door is secure after power-up."""

    open: bool = False
    energised: int | None = None
    """Since when the relay is held."""
    until: int = 0
    may_open_until: int = -1
    held_told: bool = False
    pending: bool = False
    """A pulse is asked for, and the lock has not said yet whether it did it."""


class Doors:
    """Relays are held for a time, never longer than `hold_max` unless in evacuation."""

    def __init__(self, board: Board, journal: Journal) -> None:
        self._board, self._journal = board, journal
        self.doors = {number: Door() for number in range(1, board.config.doors + 1)}
        self.evacuation = False

    def __contains__(self, door: object) -> bool:
        return door in self.doors

    def __iter__(self) -> Iterator[Door]:
        return iter(self.doors.values())

    def busy(self, door: int) -> bool:
        """Whether an opening is under way that the lock has not confirmed."""
        return self.doors[door].pending

    def pulse(
        self, door: int, hold: int, cause: str, *, ref: str = "", not_after: int | None = None
    ) -> None:
        """Ask the lock to hold `door` for `hold` seconds; `opened` says that it did."""
        self.doors[door].pending = True
        ms = min(hold, self._board.config.hold_max) * 1000
        self._board.emit(Pulse(door, ms, cause, ref, not_after))

    def opened(self, number: int, ms: int) -> None:
        """The relay of `door` is held now, for `ms`."""
        door, now = self.doors[number], self._board.now
        door.pending = False
        if door.energised is None:
            door.energised = now
        longest = door.energised + self._board.config.hold_max * 1000
        door.until = min(max(door.until, now + ms), longest)
        door.may_open_until = max(now + self._board.config.t_unused, door.until + SLACK)
        if not self.evacuation:
            self._board.after(f"relay.{number}", door.until - now)
        if not door.open:
            self._board.after(f"unused.{number}", self._board.config.t_unused)

    def missed(self, number: int) -> None:
        """The lock did not move: it was too late."""
        self.doors[number].pending = False

    def let_go(self, number: int) -> None:
        """The time of the pulse is over, or the watchdog's: secure the door."""
        door = self.doors[number]
        if self.evacuation or door.energised is None:
            return
        door.energised = None
        self._board.cancel(f"relay.{number}")
        self._board.emit(Release(number))

    def evacuate(self, on: bool) -> None:
        """Hold every relay, or let them all go."""
        if on == self.evacuation:
            return
        self.evacuation = on
        for number, door in self.doors.items():
            self._board.cancel(f"relay.{number}")
            if on:
                door.energised = self._board.now
                self._board.emit(Hold(number))
            else:
                self.let_go(number)

    def sensor(self, number: int, is_open: bool) -> None:
        """The door was opened or closed."""
        door, now = self.doors[number], self._board.now
        if door.open == is_open:
            return
        door.open = is_open
        self._board.cancel(f"unused.{number}")
        if is_open:
            granted = self.evacuation or now <= door.may_open_until
            self._journal.add("door.opened" if granted else "door.forced", door=number)
            self._board.after(f"held.{number}", self._board.config.t_held)
            return
        self._board.cancel(f"held.{number}")
        self._journal.add("door.closed", door=number)
        if door.held_told:
            door.held_told = False
            self._journal.add("door.held_clear", door=number)

    def found_open(self, number: int) -> None:
        """It stood open already at power-up; who opened it, and when, nobody saw."""
        self.doors[number].open = True
        self._board.after(f"held.{number}", self._board.config.t_held)

    def unused(self, number: int) -> None:
        """It was opened for somebody who did not come in."""
        self._journal.add("open_unused", door=number)

    def held(self, number: int) -> None:
        """It has stood open for too long."""
        if self.evacuation:
            return
        self.doors[number].held_told = True
        self._journal.add("door.held", door=number)
