"""Sockets that were accepted and not let in yet, of every listener: never too many."""

from typing import Protocol

from prometheus_client import Gauge

PENDING = Gauge("broker_pending_connects", "Sockets that have not been let in.")


class Waiting(Protocol):
    """One such socket."""

    def crowded_out(self) -> None:
        """Close it: others came, and this one has waited longest."""
        ...


class Pending:
    """Kept in the order they came, and the oldest goes when there are too many.

    An honest client says at once what it wants, so who waits longest is none, and a flood
    of silent sockets shuts nobody out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Waiting, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, one: Waiting) -> None:
        """It was accepted."""
        if len(self._waiting) >= self._most:
            oldest = next(iter(self._waiting))
            self.discard(oldest)
            oldest.crowded_out()
        self._waiting[one] = None
        PENDING.set(len(self._waiting))

    def discard(self, one: Waiting) -> None:
        """It was let in, or is gone."""
        self._waiting.pop(one, None)
        PENDING.set(len(self._waiting))

    def clear(self) -> None:
        """Close all: the platform stops."""
        while self._waiting:
            oldest = next(iter(self._waiting))
            self.discard(oldest)
            oldest.crowded_out()
