"""MQTT 3.1.1 by hand, over a bare socket: it can say what no client library would.

It shares no code with the broker, so that a mistake in our codec cannot hide itself.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.until import until

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PING = b"\xc0\x00"
BYE = b"\xe0\x00"


def length(n: int) -> bytes:
    """The variable-length integer of a fixed header."""
    out = bytearray()
    while True:
        n, low = n >> 7, n & 0x7F
        out.append(low | 0x80 if n else low)
        if not n:
            return bytes(out)


def text(value: str | bytes) -> bytes:
    """A string with its 16-bit length in front; bytes go out as they are, even bad UTF-8."""
    raw = value if isinstance(value, bytes) else value.encode()
    return len(raw).to_bytes(2, "big") + raw


def packet(head: int, body: bytes) -> bytes:
    """`head` is type and flags in one byte."""
    return bytes([head]) + length(len(body)) + body


@dataclass(frozen=True)
class Will:
    """What the broker is to publish when the connection breaks."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


def connect(
    client_id: str | bytes,
    username: str | None = None,
    password: str | None = None,
    *,
    clean: bool = True,
    keepalive: int = 30,
    will: Will | None = None,
    level: int = 4,
) -> bytes:
    """A CONNECT."""
    flags = (clean << 1) | (username is not None) << 7 | (password is not None) << 6
    body = text(client_id)
    if will:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        body += text(will.topic) + text(will.payload)
    if username is not None:
        body += text(username)
    if password is not None:
        body += text(password)
    return packet(0x10, text("MQTT") + bytes([level, flags]) + keepalive.to_bytes(2, "big") + body)


def publish(
    topic: str | bytes, payload: bytes, *, qos: int = 0, retain: bool = False, pid: int = 1
) -> bytes:
    """A PUBLISH."""
    body = text(topic) + (pid.to_bytes(2, "big") if qos else b"") + payload
    return packet(0x30 | qos << 1 | retain, body)


def subscribe(filters: Sequence[tuple[str | bytes, int]], pid: int = 1) -> bytes:
    """A SUBSCRIBE."""
    body = pid.to_bytes(2, "big") + b"".join(text(name) + bytes([qos]) for name, qos in filters)
    return packet(0x82, body)


@dataclass(frozen=True)
class Published:
    """A PUBLISH as it was received."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool


@dataclass
class Wire:
    """One connection. A task reads all the time; QoS 1 is acknowledged unless told not to."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    acknowledge: bool = True
    heard: list[Published] = field(default_factory=list)
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    closed: bool = False
    _pump: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, port: int, *, tls: ssl.SSLContext | None = None, reading: bool = True
    ) -> Self:
        """Connect to 127.0.0.1; with `reading=False` nothing is ever taken off the socket."""
        sock = socket.socket()
        if not reading:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(
            sock=sock,
            ssl=tls,
            server_hostname="localhost" if tls else None,
            limit=2**16 if reading else 1024,
        )
        wire = cls(reader, writer)
        if reading:
            wire._pump = asyncio.create_task(wire._read())
        return wire

    async def send(self, *packets: bytes) -> None:
        """Write; a broker that has hung up already is not an error."""
        with suppress(ConnectionError):
            self.writer.write(b"".join(packets))
            await self.writer.drain()

    async def answer(self, kind: int, within: float = 5.0) -> bytes | None:
        """The body of the next packet of `kind`, or None when the connection closed first."""

        def found() -> bool:
            return self.closed or any(k == kind for k, _ in self.packets)

        await until(found, within)
        for at, (k, body) in enumerate(self.packets):
            if k == kind:
                del self.packets[at]
                return body
        return None

    async def login(self, *args: object, **kwargs: object) -> int | None:
        """CONNECT; the return code of the CONNACK, or None when there was none."""
        await self.send(connect(*args, **kwargs))  # type: ignore[arg-type]
        body = await self.answer(CONNACK)
        return body[1] if body else None

    async def join(self, *filters: tuple[str | bytes, int]) -> list[int] | None:
        """SUBSCRIBE; the granted codes, or None when the connection closed instead."""
        await self.send(subscribe(filters))
        body = await self.answer(SUBACK)
        return list(body[2:]) if body else None

    async def alive(self) -> bool:
        """Whether a ping is still answered. Afterwards all that was sent before has arrived."""
        await self.send(PING)
        return await self.answer(PINGRESP) is not None

    async def close(self) -> None:
        """Hang up without a DISCONNECT: the will is due."""
        if self._pump:
            self._pump.cancel()
        self.closed = True
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """Cut the connection with a RST."""
        self.writer.transport.abort()

    async def _read(self) -> None:
        try:
            while True:
                head = (await self.reader.readexactly(1))[0]
                size = shift = 0
                while True:
                    byte = (await self.reader.readexactly(1))[0]
                    size |= (byte & 0x7F) << shift
                    shift += 7
                    if not byte & 0x80:
                        break
                await self._took(head, await self.reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            self.closed = True

    async def _took(self, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind != PUBLISH:
            self.packets.append((kind, body))
            return
        end = 2 + int.from_bytes(body[:2], "big")
        qos, topic = head >> 1 & 3, body[2:end].decode()
        if qos:
            pid, end = body[end : end + 2], end + 2
            if self.acknowledge:
                await self.send(packet(PUBACK << 4, pid))
        self.heard.append(Published(topic, body[end:], qos, bool(head & 1), bool(head & 8)))


Dial = Callable[..., Awaitable[Wire]]


@asynccontextmanager
async def wires(port: int) -> AsyncIterator[Dial]:
    """Opens connections to `port`; all are hung up at the end."""
    opened: list[Wire] = []

    async def one(**kwargs: Any) -> Wire:
        wire = await Wire.open(port, **kwargs)
        opened.append(wire)
        return wire

    try:
        yield one
    finally:
        for wire in opened:
            await wire.close()


async def comes_true(check: Callable[[], bool], within: float = 1.0) -> bool:
    """Whether `check` becomes true in time. For harm that must not happen: wait it out."""
    try:
        await until(check, within)
    except AssertionError:
        return False
    return True
