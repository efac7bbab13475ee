"""How often is too often: events of one key within a period, counted exactly, in bounded room."""

from collections import deque


class Recent:
    """Remembers the last `limit` times of each key; at most `keys` keys, the oldest go first."""

    __slots__ = ("_keys", "_limit", "_period", "_times")

    def __init__(self, limit: int, period: float = 60.0, keys: int = 20_000) -> None:
        self._limit = limit
        self._period = period
        self._keys = keys
        self._times: dict[str, deque[float]] = {}

    def full(self, key: str, now: float) -> bool:
        """Whether `limit` events lie within the period that ends `now` (seconds)."""
        times = self._times.get(key)
        return times is not None and len(times) == self._limit and now - times[0] < self._period

    def add(self, key: str, now: float) -> bool:
        """Count an event; True when it is the `limit`-th within the period, or a later one."""
        times = self._times.pop(key, None)
        if times is None:
            times = deque(maxlen=self._limit)
            if len(self._times) >= self._keys:
                del self._times[next(iter(self._times))]
        times.append(now)
        self._times[key] = times  # last in order: the one to go last
        return self.full(key, now)

    def forget(self, now: float) -> None:
        """Drop the keys with nothing within the period. Call it now and then."""
        for key in [key for key, times in self._times.items() if now - times[-1] > self._period]:
            del self._times[key]

    def __len__(self) -> int:
        return len(self._times)
