"""Lockdown and evacuation: ordered ones, and the fire input that outranks them all (R10)."""

from typing import Final

from device_emulator.board import Board
from device_emulator.credentials import Mode
from device_emulator.doors import Doors
from device_emulator.journal import Journal

AREA: Final = "mode"


class Modes:
    """The mode survives a restart: nobody locks a burning house by cutting the power."""

    def __init__(self, board: Board, doors: Doors, journal: Journal) -> None:
        self._board, self._doors, self._journal = board, doors, journal
        kept = board.memory.read(AREA)
        self._ordered = Mode(kept.get("ordered", Mode.NORMAL))
        self._fire = bool(kept.get("fire", False))

    @property
    def mode(self) -> Mode:
        """What holds now."""
        return Mode.EVAC if self._fire else self._ordered

    def power_on(self) -> None:
        """The relays come up secure; in evacuation they are opened at once."""
        self._doors.evacuate(self.mode is Mode.EVAC)

    def order(self, mode: Mode) -> None:
        """Lockdown, evacuation or normal, by order."""
        before, self._ordered = self.mode, mode
        self._board.memory.put(AREA, "ordered", mode.value)
        self._changed(before)

    def fire(self, on: bool) -> None:
        """The fire input."""
        if on == self._fire:
            return
        before, self._fire = self.mode, on
        self._board.memory.put(AREA, "fire", on)
        self._journal.add("fire_input", result="on" if on else "off")
        self._changed(before)

    def erase(self) -> None:
        """Forget what was ordered; a fire burns on."""
        before, self._ordered = self.mode, Mode.NORMAL
        self._board.memory.put(AREA, "ordered", Mode.NORMAL.value)
        self._changed(before)

    def _changed(self, before: Mode) -> None:
        if self.mode is before:
            return
        self._journal.add(f"mode.{self.mode.value}")
        self._doors.evacuate(self.mode is Mode.EVAC)
