"""Plays stations from a process of its own: `python -m benchmarks.load STATIONS.json HOST PORT`.

Orders come as JSON lines on stdin, what was done goes out as JSON lines on stdout. Every
station answers an open command at once, signed as a real one does.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.report import percentile
from benchmarks.station import Station
from foundation.wire import topics
from foundation.wire.base import load_object
from foundation.wire.events import Event, EventBatch
from foundation.wire.hello import Heartbeat

CONNECTING = 100
"""Handshakes at once."""


class Fleet:
    """All stations of this process; `ready` are those that got in."""

    def __init__(self, specs: list[dict[str, str]], host: str, port: int) -> None:
        self._host, self._port = host, port
        self._waiting = [Station(spec, self._heard) for spec in specs]
        self.ready: list[Station] = []
        self._seconds: list[float] = []
        self._done = 0
        self._beating: asyncio.Task[Any] | None = None

    async def connect(self, count: int, within: float) -> dict[str, Any]:
        """Connect the next `count`: CONNECT, SUBSCRIBE, hello. Gives up after `within` seconds."""
        gate = asyncio.Semaphore(CONNECTING)
        chosen, self._waiting = self._waiting[:count], self._waiting[count:]

        async def one(station: Station) -> None:
            async with gate:
                await station.connect(self._host, self._port)

        began = time.perf_counter()
        tasks = {asyncio.create_task(one(station)): station for station in chosen}
        done, late = await asyncio.wait(tasks, timeout=within)
        took = time.perf_counter() - began
        for task in late:
            task.cancel()
            tasks[task].close()
        failed = [task for task in done if task.exception()]
        self.ready += [tasks[task] for task in done if not task.exception()]
        why = str(failed[0].exception()) if failed else ""
        return {"ready": len(done) - len(failed), "asked": count, "seconds": took, "why": why}

    def _heard(self, station: Station, topic: str, payload: bytes) -> None:
        if topic == topics.command(station.mac):
            station.answer(load_object(payload))
        elif topic == topics.down(station.mac, "evtack"):
            now = time.perf_counter()
            for at in station.acknowledged(load_object(payload)["upto"]):
                self._seconds.append(now - at)
                self._done += 1

    async def beat(self, period: float) -> dict[str, Any]:
        """From now on, every station sends a heartbeat every `period` seconds."""
        rate = len(self.ready) / period
        self._beating = asyncio.create_task(self._paced(_heartbeat, rate, 1e9))
        return {"rate": rate}

    async def heartbeats(self, rate: float, seconds: float) -> dict[str, Any]:
        """QoS 0 heartbeats in turn, at `rate` a second in all."""
        sent, took = await self._paced(_heartbeat, rate, seconds)
        last = {station.mac: station.last_up_ms for station in self.ready}
        return {"sent": sent, "seconds": took, "last": last}

    async def events(self, rate: float, seconds: float, drain: float) -> dict[str, Any]:
        """QoS 1 journal events in turn; waits for every `evtack`, `drain` seconds at most."""
        self._seconds.clear()
        self._done = 0
        began = time.perf_counter()
        sent, took = await self._paced(_event, rate, seconds)
        until = time.perf_counter() + drain
        while self._done < sent and time.perf_counter() < until:
            await asyncio.sleep(0.005)
        ranked = sorted(1000 * second for second in self._seconds)
        return {
            "sent": sent,
            "acked": self._done,
            "seconds": took,
            "whole": time.perf_counter() - began,
            "lost": sum(station.lost for station in self.ready),
            "ms": {share: percentile(ranked, float(share)) for share in ("0.5", "0.95", "0.99")}
            if ranked
            else None,
        }

    async def settled(self, within: float) -> dict[str, Any]:
        """Wait until every event is acknowledged, `within` seconds at most."""
        until = time.perf_counter() + within
        while any(station.waits for station in self.ready) and time.perf_counter() < until:
            await asyncio.sleep(0.05)
        return {"all": not any(station.waits for station in self.ready)}

    async def _paced(
        self, act: Callable[[Station], None], rate: float, seconds: float
    ) -> tuple[int, float]:
        began, sent, wanted = time.perf_counter(), 0, int(rate * seconds)
        while sent < wanted:
            due = min(wanted, int((time.perf_counter() - began) * rate) + 1)
            while sent < due:
                act(self.ready[sent % len(self.ready)])
                sent += 1
            await asyncio.sleep(0.001)
        return sent, time.perf_counter() - began


def _heartbeat(station: Station) -> None:
    beat = Heartbeat(sess=station.sess, up_ms=station.up_ms(), door=("closed",), rssi=-60)
    station.publish("hb", beat.dump())


def _event(station: Station) -> None:
    seq = station.next_seq()
    event = Event(seq=seq, boot=station.boot, ts=int(time.time() * 1000), type="door.opened")
    station.publish("evt", EventBatch(events=(event,)).dump(), qos=1)


async def main() -> None:
    """Obey until stdin ends."""
    path, host, port = sys.argv[1:4]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fleet = Fleet(json.loads(Path(path).read_text()), host, int(port))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        done = await getattr(fleet, order.pop("do"))(**order)
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
