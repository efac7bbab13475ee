"""How often something may happen, by key, in bounded memory.

Counts are those of this process. The in-memory storages of the `limits` library were tried
first: one never forgets a key, both sweep every key at each hit (docs/decisions/0004).
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable


class Rate:
    """At most `limit` hits in any `window`, a key: a moving window.

    Args:
        limit: at least 1.
        window: seconds.
        keys: how many are remembered; beyond that the least recent is forgotten, which
            gives that one a whole allowance again.
        now: seconds, monotonic.
    """

    def __init__(
        self,
        limit: int,
        *,
        window: float = 60.0,
        keys: int = 10_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._window = window
        self._keys = keys
        self._now = now
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    def hit(self, key: str) -> bool:
        """Count one; False, and not counted, when there were `limit` already."""
        if self.full(key):
            return False
        hits = self._hits.setdefault(key, deque(maxlen=self._limit))
        hits.append(self._now())
        self._hits.move_to_end(key)
        if len(self._hits) > self._keys:
            self._hits.popitem(last=False)
        return True

    def full(self, key: str) -> bool:
        """Whether the next hit would be one too many."""
        return self.wait(key) > 0

    def left(self, key: str) -> int:
        """How many more there is room for now."""
        hits = self._hits.get(key, ())
        since = self._now() - self._window
        return self._limit - sum(hit > since for hit in hits)

    def forget(self, key: str) -> None:
        """As if none had been."""
        self._hits.pop(key, None)

    def wait(self, key: str) -> int:
        """Whole seconds until there is room again; 0 when there is."""
        hits = self._hits.get(key)
        if hits is None or len(hits) < self._limit:
            return 0
        return max(0, math.ceil(hits[0] + self._window - self._now()))
