"""What else ends when somebody moves out: other slices say it here.

Certifications now; cards, fingerprints and visitors' passes when they come. A slice
registers when its module is imported, which building the application does.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from business_api.actors import Actor
from business_api.residents.models import Occupancy
from foundation.runner import Context

Ending = Callable[[Context, Actor | str, Sequence[Occupancy]], Awaitable[None]]
"""Ends what hangs on these occupancies, which have just ended; person and house are loaded.

In the transaction of the move-out, before its audit lines: it may lock rows of its own.
Runs again for the same ones when the transaction is tried again.
"""


@dataclass(slots=True)
class Endings:
    """Who wants to know, by name."""

    _known: dict[str, Ending] = field(default_factory=dict)

    def register(self, name: str, ending: Ending) -> None:
        """Call `ending` from now on; the newest of each name."""
        self._known[name] = ending

    def forget(self, name: str) -> None:
        """Call it no more."""
        del self._known[name]

    async def happen(
        self, context: Context, actor: Actor | str, ended: Sequence[Occupancy]
    ) -> None:
        """Tell all, in the order of their names."""
        if ended:
            for _, ending in sorted(self._known.items()):
                await ending(context, actor, ended)


ENDINGS = Endings()
