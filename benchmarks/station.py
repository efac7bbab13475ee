"""One station as the load generator plays it: it logs in, says hello, talks and answers."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import mqtt
from foundation.ids import Mac
from foundation.wire import topics
from foundation.wire.command import Code, Result
from foundation.wire.hello import Hello
from foundation.wire.keys import DeviceKeys, password

Heard = Callable[["Station", str, bytes], None]


class Refused(Exception):
    """The broker does not let the station in, or has closed the connection."""


class Station:
    """One connected station. A spec with `password` uses it as it is, for other brokers."""

    def __init__(self, spec: dict[str, str], heard: Heard) -> None:
        self.mac = Mac(spec["mac"])
        self._username = spec["username"]
        self._plain_password = spec.get("password")
        self._keys = DeviceKeys.of(bytes.fromhex(spec["secret"]))
        self._heard = heard
        self.boot = int(time.time())
        self.sess = secrets.token_hex(16)
        self.last_up_ms = 0
        self.lost = 0
        self._seq = 0
        self._sent_at: deque[tuple[int, float]] = deque()
        self._connection: mqtt.Connection | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def waits(self) -> bool:
        """Whether an event of it is not acknowledged."""
        return bool(self._sent_at)

    async def connect(self, host: str, port: int) -> None:
        """CONNECT with a fresh one-time password, SUBSCRIBE, hello; returns at its PUBACK.

        Raises:
            Refused: not let in.
            OSError: nobody listens.
        """
        secret = self._plain_password or password(
            self._keys, self.mac, self._username, int(time.time())
        )
        opening = mqtt.connect(self.mac, self._username, secret)
        _, self._connection = await asyncio.get_running_loop().create_connection(
            lambda: mqtt.Connection(opening, self._on_packet, self._on_publish, self._on_lost),
            host,
            port,
        )
        await self._ready

    def close(self) -> None:
        """Leave without a word."""
        if self._connection is not None:
            self._connection.transport.abort()

    def up_ms(self) -> int:
        """Uptime; any clock that only goes forward will do."""
        self.last_up_ms = time.monotonic_ns() // 1_000_000
        return self.last_up_ms

    def next_seq(self) -> int:
        """Number a journal event; its sending begins now."""
        self._seq += 1
        self._sent_at.append((self._seq, time.perf_counter()))
        return self._seq

    def acknowledged(self, upto: int) -> Iterator[float]:
        """The platform has stored the events up to `upto`: when each was sent."""
        while self._sent_at and self._sent_at[0][0] <= upto:
            yield self._sent_at.popleft()[1]

    def publish(self, name: str, payload: bytes, qos: int = 0) -> None:
        """Say something."""
        assert self._connection is not None
        packet_id = self._connection.next_id() if qos else 0
        packet = mqtt.publish(topics.up(self.mac, name), payload, packet_id)
        self._connection.transport.write(packet)

    def answer(self, command: dict[str, Any]) -> None:
        """The relay is pulsed; say so."""
        done = Result(
            id=command["id"], sess=self.sess, code=Code.OK, door=command["door"], pulsed_ms=5000
        )
        self.publish("res", done.sign(self._keys.up, self.mac), qos=1)

    def _on_packet(self, connection: mqtt.Connection, kind: int, body: bytes) -> None:
        if kind == mqtt.CONNACK and body[1]:
            self._end(Refused(f"CONNACK {body[1]}"))
        elif kind == mqtt.CONNACK:
            own = topics.filters(self.mac)
            connection.transport.write(mqtt.subscribe(connection.next_id(), *own))
        elif kind == mqtt.SUBACK:
            hello = Hello(boot=self.boot, sess=self.sess, up_ms=self.up_ms(), fw="bench")
            self.publish("hello", hello.sign(self._keys.up, self.mac), qos=1)
        elif kind == mqtt.PUBACK and not self._ready.done():
            self._ready.set_result(None)

    def _on_publish(self, _: mqtt.Connection, topic: str, payload: bytes) -> None:
        self._heard(self, topic, payload)

    def _on_lost(self, _: mqtt.Connection) -> None:
        self.lost += 1
        self._end(Refused("closed by the broker"))

    def _end(self, why: Refused) -> None:
        if not self._ready.done():
            self._ready.set_exception(why)
