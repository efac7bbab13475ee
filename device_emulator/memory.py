"""The station's flash: what it held at power-up, and the writes that wait to be made durable.

A part reads its area once, at power-up, then keeps its own state and writes every change
through. Writes are handed over in order with each step; whoever runs the station makes them
durable before anything else that the step asked for happens.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

Key = str | int
Cells = dict[str, dict[Key, Any]]
"""area -> key -> JSON value."""

COUNTERS: Final = "counter"
"""The area that survives a wipe and a roll-back, as a chip of its own would: boot, seq, acked."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set one cell."""

    area: str
    key: Key
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove one cell."""

    area: str
    key: Key


@dataclass(frozen=True, slots=True)
class Trim:
    """Remove the cells of an area whose key is an integer up to `upto`."""

    area: str
    upto: int


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove a whole area."""

    area: str


Write = Put | Drop | Trim | Clear


class Memory:
    """See the module."""

    def __init__(self, cells: Cells | None = None) -> None:
        self._boot = cells or {}
        self._writes: list[Write] = []

    def read(self, area: str) -> dict[Key, Any]:
        """What `area` held at power-up. Once only: its part keeps it from here on."""
        return self._boot.pop(area, {})

    def put(self, area: str, key: Key, value: Any) -> None:
        """Write one cell."""
        self._writes.append(Put(area, key, value))

    def drop(self, area: str, key: Key) -> None:
        """Remove one cell."""
        self._writes.append(Drop(area, key))

    def trim(self, area: str, upto: int) -> None:
        """Remove the cells of `area` numbered up to `upto`."""
        self._writes.append(Trim(area, upto))

    def clear(self, area: str) -> None:
        """Remove all cells of `area`."""
        self._writes.append(Clear(area))

    def take(self) -> list[Write]:
        """The writes since the last time, in order."""
        taken, self._writes = self._writes, []
        return taken


def apply(cells: Cells, writes: Iterable[Write]) -> None:
    """Do to `cells` what storage does to its rows."""
    for write in writes:
        area = cells.setdefault(write.area, {})
        match write:
            case Put(_, key, value):
                area[key] = value
            case Drop(_, key):
                area.pop(key, None)
            case Trim(_, upto):
                for key in [key for key in area if isinstance(key, int) and key <= upto]:
                    del area[key]
            case Clear():
                area.clear()
