"""Plays stations from a process of its own: `python -m benchmarks.load STATIONS.json HOST PORT`.

Orders come as JSON lines on stdin, what was done goes out as JSON lines on stdout. Every
station answers an open command at once, signed as a real one does.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import mqtt
from benchmarks.report import percentile
from foundation.ids import Mac
from foundation.wire import topics
from foundation.wire.base import load_object
from foundation.wire.command import Code, Result
from foundation.wire.events import Event, EventBatch
from foundation.wire.hello import Heartbeat, Hello
from foundation.wire.keys import DeviceKeys, password

CONNECTING = 100  # handshakes at once


class Station:
    """One connected station."""

    def __init__(self, spec: dict[str, str], boot: int) -> None:
        self.mac = Mac(spec["mac"])
        self.username = spec["username"]
        self.plain_password = spec.get("password")
        self.keys = DeviceKeys.of(bytes.fromhex(spec["secret"]))
        self.boot = boot
        self.sess = f"{int(self.mac, 16):032x}"
        self.seq = 0
        self.last_up_ms = 0
        self.connection: mqtt.Connection | None = None
        self.ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.sent_at: dict[int, float] = {}

    def opening(self) -> bytes:
        """CONNECT with a fresh one-time password."""
        secret = self.plain_password or password(
            self.keys, self.mac, self.username, int(time.time())
        )
        return mqtt.connect(self.mac, self.username, secret)

    def up_ms(self) -> int:
        """Uptime; any clock that only goes forward will do."""
        self.last_up_ms = time.monotonic_ns() // 1_000_000
        return self.last_up_ms

    def publish(self, name: str, payload: bytes, packet_id: int = 0) -> None:
        """Say something; QoS 1 with a packet id."""
        assert self.connection is not None
        if packet_id:
            self.sent_at[packet_id] = time.perf_counter()
        self.connection.transport.write(mqtt.publish(topics.up(self.mac, name), payload, packet_id))


class Fleet:
    """All stations of this process."""

    def __init__(self, specs: list[dict[str, str]], host: str, port: int) -> None:
        self._host, self._port = host, port
        boot = int(time.time())
        self.stations = [Station(spec, boot) for spec in specs]
        self.latencies: list[float] = []
        self.acked = 0
        self.opened = 0
        self.lost = 0

    async def connect(self) -> dict[str, Any]:
        """Connect all, each with CONNECT, SUBSCRIBE and hello."""
        began = time.perf_counter()
        gate = asyncio.Semaphore(CONNECTING)

        async def one(station: Station) -> bool:
            async with gate:
                return await self._connect(station)

        done = await asyncio.gather(*(one(station) for station in self.stations))
        return {"seconds": time.perf_counter() - began, "ready": sum(done), "asked": len(done)}

    async def _connect(self, station: Station) -> bool:
        def on_packet(connection: mqtt.Connection, kind: int, body: bytes) -> None:
            if kind == mqtt.CONNACK:
                if body[1]:
                    station.ready.set_result(False)
                    return
                pair = topics.filters(station.mac)
                connection.transport.write(mqtt.subscribe(connection.next_id(), *pair))
            elif kind == mqtt.SUBACK:
                hello = Hello(
                    boot=station.boot, sess=station.sess, up_ms=station.up_ms(), fw="bench"
                )
                station.publish(
                    "hello", hello.sign(station.keys.up, station.mac), connection.next_id()
                )
            elif kind == mqtt.PUBACK:
                packet_id = int.from_bytes(body[:2], "big")
                if not station.ready.done():
                    station.sent_at.pop(packet_id, None)
                    station.ready.set_result(True)
                elif (at := station.sent_at.pop(packet_id, None)) is not None:
                    self.acked += 1
                    self.latencies.append((time.perf_counter() - at) * 1000)

        def on_publish(_: mqtt.Connection, topic: str, payload: bytes) -> None:
            if topic == topics.command(station.mac):
                self._answer(station, load_object(payload))

        def on_lost(_: mqtt.Connection) -> None:
            self.lost += 1
            if not station.ready.done():
                station.ready.set_result(False)

        _, station.connection = await asyncio.get_running_loop().create_connection(
            lambda: mqtt.Connection(station.opening(), on_packet, on_publish, on_lost),
            self._host,
            self._port,
        )
        return await asyncio.wait_for(station.ready, 60)

    def _answer(self, station: Station, command: dict[str, Any]) -> None:
        result = Result(
            id=command["id"], sess=station.sess, code=Code.OK, door=command["door"], pulsed_ms=5000
        )
        assert station.connection is not None
        station.publish(
            "res", result.sign(station.keys.up, station.mac), station.connection.next_id()
        )
        self.opened += 1

    async def heartbeats(self, rate: float, seconds: float) -> dict[str, Any]:
        """QoS 0 heartbeats in turn, at `rate` a second in all."""

        def one(station: Station) -> None:
            beat = Heartbeat(sess=station.sess, up_ms=station.up_ms(), door=("closed",), rssi=-60)
            station.publish("hb", beat.dump())

        sent, took = await self._paced(one, rate, seconds)
        last = {station.mac: station.last_up_ms for station in self.stations}
        return {"sent": sent, "seconds": took, "last": last}

    async def events(self, rate: float, seconds: float, drain: float) -> dict[str, Any]:
        """QoS 1 journal events in turn; waits for every PUBACK, `drain` seconds at most."""
        self.latencies.clear()
        self.acked = 0

        def one(station: Station) -> None:
            station.seq += 1
            event = Event(
                seq=station.seq, boot=station.boot, ts=int(time.time() * 1000), type="door.opened"
            )
            assert station.connection is not None
            station.publish("evt", EventBatch(events=(event,)).dump(), station.connection.next_id())

        sent, took = await self._paced(one, rate, seconds)
        until = time.perf_counter() + drain
        while self.acked < sent and time.perf_counter() < until:
            await asyncio.sleep(0.01)
        ranked = sorted(self.latencies)
        return {
            "sent": sent,
            "acked": self.acked,
            "seconds": took,
            "lost": self.lost,
            "p50": percentile(ranked, 0.5),
            "p95": percentile(ranked, 0.95),
            "p99": percentile(ranked, 0.99),
        }

    async def _paced(self, act: Any, rate: float, seconds: float) -> tuple[int, float]:
        began, sent, wanted = time.perf_counter(), 0, int(rate * seconds)
        while sent < wanted:
            due = min(wanted, int((time.perf_counter() - began) * rate) + 1)
            while sent < due:
                act(self.stations[sent % len(self.stations)])
                sent += 1
            await asyncio.sleep(0.001)
        return sent, time.perf_counter() - began


async def main() -> None:
    """Obey until stdin ends."""
    path, host, port = sys.argv[1:4]
    fleet = Fleet(json.loads(Path(path).read_text()), host, int(port))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        done = await getattr(fleet, order.pop("do"))(**order)
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
