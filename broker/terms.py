"""On what terms a station's session lives, and why it ends."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from foundation.settings import Broker

WINDOW: Final = 10
"""Seconds over which the rates of a station are averaged."""


class End(StrEnum):
    """Why a session ended; `SessionChange.reason`."""

    WILL = "will"  # gone without a word, and it had left a will
    RESET = "reset"  # gone without a word, no will
    TIMEOUT = "timeout"  # silent for 1.5 x keep-alive
    CLOSED = "closed"  # it said DISCONNECT
    KICKED = "kicked"
    TAKEN_OVER = "taken_over"
    SLOW = "slow"  # it does not take what it is sent
    PROTOCOL = "protocol"  # it did what no honest station does
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds of one session; see `foundation.settings.Broker`."""

    packet_bytes: int
    inflight: int
    out_queue: int
    packets: int
    bytes: int

    @classmethod
    def of(cls, settings: Broker) -> "Rules":
        """The configured ones; the rates for a whole window."""
        rates = settings.message_rate * WINDOW, settings.byte_rate * WINDOW
        return cls(settings.packet_bytes, settings.inflight, settings.out_queue, *rates)
