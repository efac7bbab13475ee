"""The seam to the broker: how this room speaks to stations and hears them.

`broker` implements both ports; this room and those above it only use them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from foundation.ids import Mac


class Delivery(StrEnum):
    """What became of a message to a station."""

    SENT = "sent"  # handed to a live session; only the station's own answer proves more
    OFFLINE = "offline"  # no live session: nothing was kept, nothing will be sent later


class DeviceLink(Protocol):
    """Towards stations."""

    async def send(self, mac: Mac, topic: str, payload: bytes, *, qos: int) -> Delivery:
        """Hand one message to the live session of `mac`, or say that there is none.

        Nothing is queued for a station that is not connected. A station too slow to take
        more is disconnected and counts as OFFLINE.
        """
        ...

    async def kick(self, mac: Mac, reason: str) -> bool:
        """Close the session of `mac` at once; False when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """One message from an authenticated station, as it came."""

    mac: Mac
    epoch: int
    payload: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session began (`up`) or ended. `epoch` grows with every session of the platform.

    Changes of one station come in the order they happened; an end may come after the
    beginning of a later session (take-over) and then has the older epoch.
    """

    mac: Mac
    epoch: int
    up: bool
    at: datetime
    reason: str = ""
    """Of an end: will, reset, timeout, closed, kicked, taken_over, slow, protocol, shutdown."""
    address: str = ""


Batch = Callable[[Sequence[Heard]], Awaitable[None]]
Changes = Callable[[Sequence[SessionChange]], Awaitable[None]]


class DeviceInbox(Protocol):
    """From stations."""

    def hear(self, name: str, handler: Batch) -> None:
        """Give `handler` every message on `…/up/s/{name}`, in batches, in order by station.

        Messages of different names overtake each other, but for the hello of a session: it
        is handled before anything the session says after it.

        A QoS 1 message is acknowledged when every handler of its name has returned, that
        is: has committed. A handler deals with bad messages itself (the sender is at
        fault: count, log, drop); what it raises ends the process, and stations send again.
        """
        ...

    def watch(self, handler: Changes) -> None:
        """Give `handler` every beginning and end of a session, in order."""
        ...
