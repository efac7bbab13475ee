"""One connection of the open lane: what goes in is well-formed and bounded, what goes out too.

It stands between the socket and amqtt, which checks little and limits nothing: amqtt is
given one whole, correct packet at a time, and the next when it has dealt with the last.
"""

import asyncio
import socket
from collections import deque
from typing import Final

import structlog
from prometheus_client import Counter

from broker import codec
from broker.authority import Platform, ServiceAccount
from foundation.settings import Broker as Settings

log = structlog.get_logger()

ENDS: Final = Counter("open_lane_ends_total", "Ends of their connections, by reason.", ["reason"])
PACKETS: Final = Counter("open_lane_packets_total", "Packets taken in from them.")
DELIVERIES: Final = Counter("open_lane_deliveries_total", "Messages given to them.")

PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7

_READ: Final = 65_536
_BURST: Final = 10.0
"""Seconds over which rates are averaged."""
_FILTERS: Final = 100
"""Most filters in one SUBSCRIBE or UNSUBSCRIBE."""
_LINGER: Final = 5.0
"""Seconds a client may take to read the rest after its end."""

Principal = ServiceAccount | Platform


class Client:
    """Reads judged packets, writes within bounds, keeps the QoS 1 window."""

    def __init__(
        self,
        principal: Principal,
        connect: codec.Connect,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        settings: Settings,
    ) -> None:
        self.principal = principal
        self.ended = False
        self.clean_end = False
        """Whether it said DISCONNECT: no will then."""
        self._settings = settings
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._stream = codec.Stream(settings.packet_bytes)
        self._silence = connect.keepalive * 1.5 or None
        self._heard_at = self._loop.time()
        self._messages = _Bucket(settings.service_message_rate, self._heard_at)
        self._bytes = _Bucket(settings.service_byte_rate, self._heard_at)
        self._packet_id = 0
        self._inflight: set[int] = set()
        self._waiting: deque[tuple[bytes, bytes, bool]] = deque()
        self._waiting_bytes = 0
        self._received: set[int] = set()
        if not connect.keepalive:
            _probe(writer)

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port, as far as they are known."""
        peer = self._writer.get_extra_info("peername")
        return (str(peer[0]), int(peer[1])) if peer else ("unknown", 0)

    async def packet(self) -> bytes:
        """The next packet, whole and correct, or nothing when the client is gone.

        Slows down (by not reading) whoever sends too much; ends the connection of whoever is
        silent for 1.5 times its keep-alive, or sends what is no MQTT 3.1.1.
        """
        while not self.ended:
            try:
                if (frame := self._stream.next()) is not None:
                    head, at, end = frame
                    packet = self._judged(head, self._stream.data, at, end)
                    self._heard_at = self._loop.time()
                    PACKETS.inc()
                    await self._pace(len(packet))
                    return packet
            except codec.Malformed as error:
                log.info("client.packet.refused", account=self.principal.name, error=str(error))
                self.end("protocol")
                break
            if not (data := await self._read()):
                break
            self._stream.feed(data)
        return b""

    def deliver(self, topic: bytes, payload: bytes, qos: int, *, retain: bool = False) -> None:
        """Hand over one message. Never waits: a client too slow to take it is closed."""
        if self.ended:
            return
        DELIVERIES.inc()
        if not qos:
            self.send(_publish(topic, payload, 0, retain=retain))
        elif len(self._inflight) < self._settings.inflight:
            self._send_qos1(topic, payload, retain=retain)
        else:
            self._waiting.append((topic, payload, retain))
            self._waiting_bytes += len(topic) + len(payload)
            if self._waiting_bytes > self._settings.service_queue:
                self.end("slow")

    def acknowledged(self, packet_id: int) -> None:
        """It has the message: the next may go."""
        self._inflight.discard(packet_id)
        while self._waiting and len(self._inflight) < self._settings.inflight and not self.ended:
            topic, payload, retain = self._waiting.popleft()
            self._waiting_bytes -= len(topic) + len(payload)
            self._send_qos1(topic, payload, retain=retain)

    def is_new(self, packet_id: int) -> bool:
        """Whether a QoS 2 message has not come before; it counts until `released`."""
        new = packet_id not in self._received
        self._received.add(packet_id)
        if len(self._received) > self._settings.inflight:
            self.end("protocol")
        return new

    def released(self, packet_id: int) -> None:
        """Its QoS 2 message will not come again."""
        self._received.discard(packet_id)

    def send(self, data: bytes) -> None:
        """Write; over the bound the connection is cut, since nothing may wait without end."""
        if self.ended:
            return
        waiting = self._writer.transport.get_write_buffer_size()
        if waiting and waiting + len(data) > self._settings.service_queue:
            self.end("slow")
        else:
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until it has read most of what was written; for long answers only."""
        try:
            await self._writer.drain()
        except ConnectionError:
            self.end("reset")

    def end(self, reason: str) -> None:
        """Cut the connection at once. Only the first reason counts."""
        if not self.ended:
            self.ended = True
            ENDS.labels(reason).inc()
            self._writer.transport.abort()

    async def close(self) -> None:
        """Let it read what was written, then hang up. May be called again."""
        if not self.ended:
            self.ended = True
            ENDS.labels("closed").inc()
        self._writer.close()
        cut = self._loop.call_later(_LINGER, self._writer.transport.abort)
        try:
            await self._writer.wait_closed()
        except OSError:
            log.debug("client.close.failed", account=self.principal.name)
        finally:
            cut.cancel()

    async def _read(self) -> bytes:
        deadline = self._heard_at + self._silence if self._silence else None
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._reader.read(_READ)
        except TimeoutError:
            self.end("timeout")
            return b""
        except OSError:
            self.end("reset")
            return b""
        if not data:
            self.end("closed")
        return data

    async def _pace(self, size: int) -> None:
        now = self._loop.time()
        wait = max(self._messages.take(1, now), self._bytes.take(size, now))
        if wait > 0:
            await asyncio.sleep(wait)
            self._heard_at = self._loop.time()

    def _judged(self, head: int, data: bytes, at: int, end: int) -> bytes:
        """The packet as amqtt may see it.

        Raises:
            codec.Malformed: it may not.
        """
        match head >> 4:
            case codec.PUBLISH:
                codec.check_topic(codec.read_publish(head, data, at, end).topic)
            case codec.PUBACK:
                codec.read_puback(head, data, at, end)
            case 6 if head == PUBREL << 4 | 2 and end - at == 2:
                codec.read_packet_id(data, at, end)
            case codec.SUBSCRIBE:
                _few(codec.read_subscribe(head, data, at, end)[1])
            case codec.UNSUBSCRIBE:
                _few(codec.read_unsubscribe(head, data, at, end)[1])
            case codec.PINGREQ if head == codec.PINGREQ << 4 and end == at:
                return codec.PINGREQ_PACKET
            case codec.DISCONNECT if head == codec.DISCONNECT << 4 and end == at:
                self.clean_end = True
                return codec.DISCONNECT_PACKET
            case kind:
                raise codec.Malformed(f"packet type {kind}")
        return codec.packet(head, data[at:end])

    def _send_qos1(self, topic: bytes, payload: bytes, *, retain: bool) -> None:
        self._packet_id = self._packet_id % 65_535 + 1
        while self._packet_id in self._inflight:
            self._packet_id = self._packet_id % 65_535 + 1
        self._inflight.add(self._packet_id)
        self.send(_publish(topic, payload, self._packet_id, retain=retain))


class Tickets:
    """Single-use passwords, each good for one connection that the gate has judged."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}

    def add(self, ticket: str, client: Client) -> None:
        """`client` may come in with `ticket`."""
        self._clients[ticket] = client

    def take(self, ticket: str | None) -> Client | None:
        """Whose ticket it is; it is worth nothing from now on."""
        return self._clients.pop(ticket or "", None)


class _Bucket:
    """An allowance that refills at `rate` a second, up to ten seconds' worth."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = rate * _BURST
        self._at = now

    def take(self, amount: int, now: float) -> float:
        """Use some; how many seconds to wait before going on."""
        self._left = min(self._left + (now - self._at) * self._rate, self._rate * _BURST) - amount
        self._at = now
        return -self._left / self._rate if self._left < 0 else 0.0


def _publish(topic: bytes, payload: bytes, packet_id: int, *, retain: bool) -> bytes:
    whole = codec.publish(topic, payload, packet_id)
    return bytes((whole[0] | 1,)) + whole[1:] if retain else whole


def _few(filters: list[tuple[str, int]] | list[str]) -> None:
    if len(filters) > _FILTERS:
        raise codec.Malformed("too many filters in one packet")


def _probe(writer: asyncio.StreamWriter) -> None:
    """Without an MQTT keep-alive let the kernel find out, within 90 s, that nobody is there."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
