"""A load generator's end of MQTT 3.1.1: only what it sends and must read, as fast as it can.

It is an instrument, apart from the code it measures: the platform's own codec is not used.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Final, cast

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9


def text(value: str) -> bytes:
    """A length-prefixed UTF-8 string."""
    raw = value.encode()
    return struct.pack("!H", len(raw)) + raw


def packet(head: int, body: bytes) -> bytes:
    """A packet: first byte, remaining length, body."""
    size, length = len(body), bytearray()
    while True:
        size, low = size >> 7, size & 0x7F
        length.append(low | 0x80 if size else low)
        if not size:
            return bytes([head]) + bytes(length) + body


def connect(client_id: str, username: str, password: str, keepalive: int = 60) -> bytes:
    """CONNECT with a clean session."""
    head = text("MQTT") + bytes([4, 0xC2]) + struct.pack("!H", keepalive)
    return packet(0x10, head + text(client_id) + text(username) + text(password))


def subscribe(packet_id: int, *filters: tuple[str, int]) -> bytes:
    """SUBSCRIBE to filters with their QoS."""
    body = b"".join(text(name) + bytes([qos]) for name, qos in filters)
    return packet(0x82, struct.pack("!H", packet_id) + body)


def publish(topic: str, payload: bytes, packet_id: int = 0) -> bytes:
    """PUBLISH: QoS 1 when there is a packet id."""
    middle = struct.pack("!H", packet_id) if packet_id else b""
    return packet(0x32 if packet_id else 0x30, text(topic) + middle + payload)


class Connection(asyncio.Protocol):
    """One connection: calls back for CONNACK, SUBACK, PUBACK and PUBLISH (acknowledged here)."""

    def __init__(
        self,
        opening: bytes,
        on_packet: Callable[["Connection", int, bytes], None],
        on_publish: Callable[["Connection", str, bytes], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self._opening = opening
        self._on_packet = on_packet
        self._on_publish = on_publish
        self._on_lost = on_lost
        self._rest = b""
        self._packet_id = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say CONNECT at once."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.transport.write(self._opening)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner."""
        self._on_lost(self)

    def next_id(self) -> int:
        """A packet id, 1 to 65535."""
        self._packet_id = self._packet_id % 65535 + 1
        return self._packet_id

    def data_received(self, data: bytes) -> None:
        """Take whole packets apart; keep the rest."""
        buffer, at = self._rest + data, 0
        while len(buffer) - at >= 2:
            length, shift, body = 0, 0, at + 1
            while body < len(buffer):
                byte = buffer[body]
                length |= (byte & 0x7F) << shift
                shift, body = shift + 7, body + 1
                if not byte & 0x80:
                    break
            else:
                break
            if body + length > len(buffer):
                break
            self._packet(buffer[at], buffer[body : body + length])
            at = body + length
        self._rest = buffer[at:]

    def _packet(self, head: int, body: bytes) -> None:
        if head >> 4 != PUBLISH:
            self._on_packet(self, head >> 4, body)
            return
        end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:end].decode()
        if head & 0x06:
            self.transport.write(b"\x40\x02" + body[end : end + 2])
            end += 2
        self._on_publish(self, topic, body[end:])
