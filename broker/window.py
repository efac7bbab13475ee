"""QoS 1 towards a station: packet ids, at most so many unacknowledged, the rest in order."""

from collections import deque

from broker import codec


class Window:
    """Sans I/O: gives the packets to write. Made for a session when it first needs one."""

    __slots__ = ("_last", "_limit", "_unacked", "_waiting", "bytes")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._last = 0
        self._unacked: set[int] = set()
        self._waiting: deque[tuple[bytes, bytes]] = deque()
        self.bytes = 0
        """Of the payloads that wait."""

    def put(self, topic: bytes, payload: bytes) -> bytes | None:
        """The packet to write now; None: it waits until others are acknowledged."""
        if len(self._unacked) >= self._limit:
            self._waiting.append((topic, payload))
            self.bytes += len(payload)
            return None
        self._last = self._last % 65535 + 1
        while self._last in self._unacked:
            self._last = self._last % 65535 + 1
        self._unacked.add(self._last)
        return codec.publish(topic, payload, self._last)

    def acknowledged(self, packet_id: int) -> bytes | None:
        """The next packet to write, if one waited. An id that is not out changes nothing."""
        self._unacked.discard(packet_id)
        if not self._waiting or len(self._unacked) >= self._limit:
            return None
        topic, payload = self._waiting.popleft()
        self.bytes -= len(payload)
        return self.put(topic, payload)
