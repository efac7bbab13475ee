"""How often one caller may ask, in bounded memory.

The generic cell rate algorithm keeps a single time a key: when the caller's allowance will
be whole again. It is not the window of `foundation.rates`: who has used up a burst gets one
request back after another, not all a minute later, and hundreds a minute cost no more memory
than one. Counts are those of this process; with several API processes each allows
the rate, which bounds the work of each, and that is what the limit is for.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from foundation.errors import DomainError, Kind


class TooManyRequests(DomainError):
    """The caller asked more often than the settings allow."""

    kind, code, title = Kind.TOO_MANY, "too-many-requests", "Too many requests"
    title_zh = "请求过于频繁，请稍后再试"


class RateLimit:
    """A burst of at most `per_minute`, and on average no more than that every minute.

    Args:
        per_minute: at least 1.
        keys: how many callers are remembered; beyond that the least recent is forgotten,
            which gives that one a whole allowance again.
        now: seconds, monotonic.
    """

    def __init__(
        self, per_minute: int, *, keys: int = 10_000, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._cost = 60 / per_minute
        self._keys = keys
        self._now = now
        self._whole_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one request of `key`.

        Raises:
            TooManyRequests: there were too many; this one is not counted.
        """
        now = self._now()
        whole_at = max(self._whole_at.get(key, now), now) + self._cost
        if whole_at - now > 60 + self._cost / 2:
            raise TooManyRequests(retry_after=math.ceil(whole_at - now - 60))
        self._whole_at[key] = whole_at
        self._whole_at.move_to_end(key)
        if len(self._whole_at) > self._keys:
            self._whole_at.popitem(last=False)
