"""MQTT 3.1.1 packets, sans I/O: bytes to values and back. Strict: what is odd is `Malformed`.

Every `read_…` raises `Malformed`. Offsets (`at`, `end`) are into the buffer that holds the
packet, so that nothing is copied twice.

Source: OASIS MQTT 3.1.1; names in brackets are its normative statements.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 10, 12, 14
ACCEPTED, BAD_PROTOCOL, BAD_CLIENT_ID, UNAVAILABLE, BAD_CREDENTIALS, NOT_AUTHORISED = range(6)

REFUSED: Final = 0x80
"""A SUBACK code: this subscription was not made."""
PINGREQ_PACKET, PINGRESP, DISCONNECT_PACKET = b"\xc0\x00", b"\xd0\x00", b"\xe0\x00"

Frame = tuple[int, int, int]  # first byte, where the body begins, where it ends


class Malformed(Exception):
    """Not MQTT 3.1.1: close the connection [MQTT-4.8.0-1]."""


class WrongProtocol(Exception):
    """A CONNECT of another version of MQTT: answer 1, then close [MQTT-3.1.2-2]."""


@dataclass(frozen=True, slots=True)
class Will:
    """What is to be published when a client is gone without a DISCONNECT."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """The first packet of a client. `keepalive` in seconds, 0: none."""

    client_id: str
    clean: bool = True
    keepalive: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None

    def encode(self) -> bytes:
        """The packet, as the client would have sent it."""
        flags = self.clean << 1
        payload = _short(self.client_id.encode())
        if self.will is not None:
            flags |= 4 | self.will.qos << 3 | self.will.retain << 5
            payload += _short(self.will.topic.encode()) + _short(self.will.payload)
        if self.username is not None:
            flags |= 0x80
            payload += _short(self.username.encode())
        if self.password is not None:
            flags |= 0x40
            payload += _short(self.password)
        head = b"\x00\x04MQTT\x04" + bytes([flags]) + self.keepalive.to_bytes(2, "big")
        return packet(CONNECT << 4, head + payload)


class Publish(NamedTuple):
    """One message. `packet_id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0
    retain: bool = False
    dup: bool = False


class Stream:
    """Cuts a stream of bytes into packets, however the bytes come.

    `feed` some, then call `next` until it gives None. Offsets point into `data` until the
    next `feed`. What is incomplete is kept, at most `limit` bytes.
    """

    __slots__ = ("_at", "_need", "_tail", "data", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = b""
        self._at = 0
        self._need = 0
        self._tail: bytearray | None = None

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        if (tail := self._tail) is not None:
            tail += data
            if len(tail) < self._need:
                return
            data, self._tail = bytes(tail), None
        elif self._at < len(self.data):
            data = self.data[self._at :] + data
        self.data, self._at = data, 0

    def next(self) -> Frame | None:
        """The next whole packet, or None when more bytes are needed. Raises `Malformed`."""
        data, start = self.data, self._at
        size = len(data)
        at = start + 1
        length = shift = 0
        while at < size:
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise Malformed("padded length")
                end = at + length
                if end - start > self.limit:
                    raise Malformed("too long")
                if end > size:
                    self._wait(end - start)
                    return None
                self._at = end
                return data[start], at, end
            shift += 7
            if shift > 21:
                raise Malformed("length of five bytes")
        self._wait(size - start + 1)
        return None

    def rest(self) -> bytes:
        """Take out everything that no `next` has given yet."""
        rest = bytes(self._tail) if self._tail is not None else self.data[self._at :]
        self.data, self._at, self._tail = b"", 0, None
        return rest

    def _wait(self, need: int) -> None:
        if self._at < len(self.data):
            self._tail, self._need = bytearray(self.data[self._at :]), need
        self.data, self._at = b"", 0


def read_connect(head: int, body: bytes) -> Connect:
    """Read a CONNECT; raises `WrongProtocol` too."""
    name, at = _take(body, 0)
    if head != CONNECT << 4 or name not in (b"MQTT", b"MQIsdp") or len(body) < at + 4:
        raise Malformed("not a CONNECT")
    if name != b"MQTT" or body[at] != 4:
        raise WrongProtocol(f"level {body[at]}")
    flags, keepalive = body[at + 1], int.from_bytes(body[at + 2 : at + 4], "big")
    bad_will = flags & 0x18 == 0x18 or (flags & 0x38 and not flags & 4)
    if flags & 1 or bad_will or flags & 0xC0 == 0x40:
        raise Malformed("flags")  # [MQTT-3.1.2-3, -11, -14, -22]
    client_id, at = _take_text(body, at + 4)
    will = username = password = None
    if flags & 4:
        topic, at = _take_text(body, at)
        payload, at = _take(body, at)
        check_topic(topic)
        will = Will(topic, payload, flags >> 3 & 3, bool(flags & 0x20))
    if flags & 0x80:
        username, at = _take_text(body, at)
    if flags & 0x40:
        password, at = _take(body, at)
    if at != len(body):
        raise Malformed("more than a CONNECT")
    return Connect(client_id, bool(flags & 2), keepalive, username, password, will)


def read_publish(head: int, data: bytes, at: int, end: int) -> Publish:
    """Read a PUBLISH."""
    qos = head >> 1 & 3
    start = at + 2
    at = start + (data[at] << 8 | data[at + 1]) if end >= start else end + 1
    if at > end or qos == 3 or (not qos and head & 8):
        raise Malformed("PUBLISH")
    try:
        topic = data[start:at].decode()
    except UnicodeDecodeError:
        raise Malformed("topic is not UTF-8") from None
    check_topic(topic)
    packet_id = 0
    if qos:
        packet_id = read_packet_id(data, at, end)
        at += 2
    return Publish(topic, data[at:end], qos, packet_id, bool(head & 1), bool(head & 8))


def check_topic(topic: str) -> None:
    """Raise `Malformed` unless something may be published under `topic`."""
    if not topic or "+" in topic or "#" in topic or "\0" in topic:
        raise Malformed("topic name")  # [MQTT-3.3.2-2]


def read_packet_id(data: bytes, at: int, end: int) -> int:
    """The packet id at `at`."""
    if end - at < 2 or not (packet_id := data[at] << 8 | data[at + 1]):
        raise Malformed("packet id")
    return packet_id


def read_puback(head: int, data: bytes, at: int, end: int) -> int:
    """The packet id that is acknowledged."""
    if head != PUBACK << 4 or end - at != 2:
        raise Malformed("PUBACK")
    return read_packet_id(data, at, end)


def read_subscribe(head: int, data: bytes, at: int, end: int) -> tuple[int, list[tuple[str, int]]]:
    """The packet id, and what is asked for: at least one filter with its QoS."""
    packet_id, wanted = read_packet_id(data, at, end), []
    body, at = data[at + 2 : end], 0
    while at < len(body):
        wish, at = _take_text(body, at)
        if at >= len(body) or body[at] > 2 or not wish:
            raise Malformed("subscription")  # [MQTT-3-8.3-4]
        wanted.append((wish, body[at]))
        at += 1
    if head != SUBSCRIBE << 4 | 2 or not wanted:
        raise Malformed("SUBSCRIBE")  # [MQTT-3.8.3-3]
    return packet_id, wanted


def read_unsubscribe(head: int, data: bytes, at: int, end: int) -> tuple[int, list[str]]:
    """The packet id, and at least one filter to end."""
    packet_id, ended = read_packet_id(data, at, end), []
    body, at = data[at + 2 : end], 0
    while at < len(body):
        wish, at = _take_text(body, at)
        ended.append(wish)
    if head != UNSUBSCRIBE << 4 | 2 or not ended or "" in ended:
        raise Malformed("UNSUBSCRIBE")  # [MQTT-3.10.3-2]
    return packet_id, ended


def packet(head: int, body: bytes) -> bytes:
    """A whole packet from its first byte and its body (below 2**28 bytes)."""
    size = len(body)
    if size < 128:
        return bytes((head, size)) + body
    length = bytearray()
    while size:
        size, low = size >> 7, size & 0x7F
        length.append(low | 0x80 if size else low)
    return bytes((head, *length)) + body


def publish(topic: bytes, payload: bytes, packet_id: int = 0) -> bytes:
    """A PUBLISH, never retained: at QoS 1 when there is a packet id, else at QoS 0."""
    name = len(topic).to_bytes(2, "big") + topic
    if packet_id:
        return packet(0x32, name + packet_id.to_bytes(2, "big") + payload)
    return packet(0x30, name + payload)


def connack(code: int) -> bytes:
    """The answer to a CONNECT; no session is ever present."""
    return bytes((0x20, 2, 0, code))


def puback(packet_id: int) -> bytes:
    """The acknowledgement of a PUBLISH at QoS 1."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def suback(packet_id: int, codes: list[int]) -> bytes:
    """The answer to a SUBSCRIBE: a QoS or `REFUSED`, one for each filter."""
    return packet(0x90, packet_id.to_bytes(2, "big") + bytes(codes))


def unsuback(packet_id: int) -> bytes:
    """The answer to an UNSUBSCRIBE."""
    return b"\xb0\x02" + packet_id.to_bytes(2, "big")


def _short(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _take(data: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    end = start + int.from_bytes(data[at:start], "big")
    if start > len(data) or end > len(data):
        raise Malformed("shorter than it says")
    return data[start:end], end


def _take_text(data: bytes, at: int) -> tuple[str, int]:
    raw, end = _take(data, at)
    try:
        value = raw.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    if "\0" in value:
        raise Malformed("a null character")  # [MQTT-1.5.3-2]
    return value, end
