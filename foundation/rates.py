"""How often something may happen, counted by key in bounded memory, and whose share it is.

Counts are those of this process. The in-memory storages of the `limits` library were tried
first: one never forgets a key, both sweep every key at each hit (docs/decisions/0004).
"""

import ipaddress
import math
from collections import OrderedDict, deque


class Rate:
    """At most `limit` events of a key in any `window`: a moving window, counted exactly.

    `now` is seconds, by the same clock at each call; best a monotonic one.

    Args:
        limit: at least 1.
        window: seconds.
        keys: how many are remembered; beyond that the least recent is forgotten, which
            gives that one a whole allowance again.
    """

    __slots__ = ("_keys", "_limit", "_times", "_window")

    def __init__(self, limit: int, *, window: float = 60.0, keys: int = 10_000) -> None:
        self._limit = limit
        self._window = window
        self._keys = keys
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, key: str, now: float) -> bool:
        """Count one that has happened; True when it is the `limit`-th in the window, or later."""
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque(maxlen=self._limit)
            if len(self._times) > self._keys:
                self._times.popitem(last=False)
        times.append(now)
        self._times.move_to_end(key)
        return self.full(key, now)

    def hit(self, key: str, now: float) -> bool:
        """Ask for one; False, and not counted, when there were `limit` already."""
        if self.full(key, now):
            return False
        self.add(key, now)
        return True

    def full(self, key: str, now: float) -> bool:
        """Whether the next one would be one too many."""
        times = self._times.get(key)
        return times is not None and len(times) == self._limit and now - times[0] < self._window

    def left(self, key: str, now: float) -> int:
        """How many more there is room for."""
        return self._limit - sum(now - at < self._window for at in self._times.get(key, ()))

    def wait(self, key: str, now: float) -> int:
        """Whole seconds until there is room again; 0 when there is."""
        if not self.full(key, now):
            return 0
        return max(1, math.ceil(self._times[key][0] + self._window - now))

    def forget(self, key: str) -> None:
        """As if there had been none of `key`."""
        self._times.pop(key, None)

    def sweep(self, now: float) -> None:
        """Forget the keys with nothing in the window. Only to save memory; now and then."""
        for key in [key for key, times in self._times.items() if now - times[-1] > self._window]:
            del self._times[key]

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._times)


def network(address: str) -> str:
    """Whose share a caller uses: its IPv4 address, or its /64, of which IPv6 users own all."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
