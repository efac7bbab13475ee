"""What this process remembers of the boxes that call, between calls, in bounded memory."""

from dataclasses import dataclass
from typing import Self

from foundation.rates import Rate
from foundation.runner import Context
from foundation.settings import Devices


@dataclass(frozen=True, slots=True)
class Desk:
    """Counts of one process."""

    calls: Rate
    """By MAC and key, so that nobody uses up the calls of a box by knowing its MAC."""
    strangers: Rate
    """By MAC: boxes with another key than the one known."""
    refused: Rate
    """By address, refused calls only: a whole community may share one."""
    guesses: Rate
    """By MAC and 校验码: tries at it, which the database forgets when a transaction fails."""

    @classmethod
    def of(cls, limits: Devices) -> Self:
        """With nothing counted yet."""
        return cls(
            Rate(limits.enroll_rate),
            Rate(limits.enroll_rate),
            Rate(limits.enroll_refused_rate, keys=1000),
            Rate(limits.code_tries, window=limits.pending_for.total_seconds()),
        )


def desk_of(context: Context) -> Desk:
    """The one of this process."""
    try:
        return context.need(Desk)
    except LookupError:
        desk = Desk.of(context.settings.devices)
        context.provide(Desk, desk)
        return desk
