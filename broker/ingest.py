"""From stations to handlers: a bounded queue a kind of message, group commit, then PUBACK."""

import asyncio
import time
from collections import deque
from typing import Final, Protocol

from prometheus_client import Counter, Gauge, Histogram

from broker.presence import Comings
from device_registry.link import Batch, Changes, Heard
from foundation.ids import Mac
from foundation.settings import Broker
from foundation.wake import first_of

MESSAGES = Counter("broker_messages_total", "PUBLISHes of the device lane.", ["direction", "name"])
WAITING = Gauge("broker_ingest_waiting", "Messages waiting for their commit.", ["name"])
COALESCED = Counter(
    "broker_heartbeats_coalesced_total", "Heartbeats replaced by a later one of their station."
)
BATCH_SECONDS = Histogram(
    "broker_ingest_batch_seconds",
    "From taking a batch to the end of its last handler.",
    ["name"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)

FIRST: Final = "hello"
"""Handled before what a session says after it: a hello tells how to understand the rest."""
LATEST_WINS: Final = "hb"
"""At QoS 0 only the newest of a station is kept: no queue, whatever the handlers do."""
_OVERHEAD: Final = 400
"""Bytes that a waiting message costs besides its payload."""


class Source(Protocol):
    """The session that a message came from."""

    def acknowledge(self, packet_id: int) -> None:
        """Send the PUBACK, if it still can be sent."""
        ...

    def room(self) -> None:
        """The queue that was full has room again."""
        ...


class Queue:
    """Messages of one name: `put` by sessions, taken by one worker."""

    def __init__(self, name: str, settings: Broker) -> None:
        self.name = name
        self.handlers: list[Batch] = []
        self.news = asyncio.Event()
        self.came = 0
        self.handled = 0
        self.moved = asyncio.Condition()
        self._received = MESSAGES.labels("in", name)
        WAITING.labels(name).set_function(lambda: len(self))
        self._limit = settings.ingest_queue
        self._bytes = 0
        self._latest: dict[Mac, Heard] | None = {} if name == LATEST_WINS else None
        self._waiting: deque[tuple[Heard, Source, int]] = deque()
        self._blocked: list[Source] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._latest or ())

    @property
    def full(self) -> bool:
        """Whether a session must stop reading before it puts more; see `block`."""
        return self._bytes >= self._limit

    def block(self, source: Source) -> None:
        """Tell `source` when there is room again."""
        self._blocked.append(source)

    def put(self, heard: Heard, source: Source, packet_id: int) -> None:
        """Take one message; `packet_id` is 0 at QoS 0."""
        self._received.inc()
        self.came += 1
        if self._latest is not None and not packet_id:
            if heard.mac in self._latest:
                COALESCED.inc()
            self._latest[heard.mac] = heard
        else:
            self._waiting.append((heard, source, packet_id))
            self._bytes += len(heard.payload) + _OVERHEAD
        self.news.set()

    async def passed(self) -> None:
        """Wait until everything that has come by now is handled."""
        came = self.came
        if self.handled < came:
            async with self.moved:
                await self.moved.wait_for(lambda: self.handled >= came)

    async def done(self, count: int) -> None:
        """So many more are handled."""
        async with self.moved:
            self.handled += count
            self.moved.notify_all()

    def take(self, most: int) -> tuple[list[Heard], list[tuple[Source, int]]]:
        """The next messages in order, and whom to acknowledge when they are stored."""
        batch: list[Heard] = []
        acks: list[tuple[Source, int]] = []
        while self._waiting and len(batch) < most:
            heard, source, packet_id = self._waiting.popleft()
            batch.append(heard)
            self._bytes -= len(heard.payload) + _OVERHEAD
            if packet_id:
                acks.append((source, packet_id))
        if self._latest and len(batch) < most:
            taken = list(self._latest)[: most - len(batch)]
            batch.extend(self._latest.pop(mac) for mac in taken)
        if self._blocked and self._bytes < self._limit // 2:
            blocked, self._blocked = self._blocked, []
            for source in blocked:
                source.room()
        return batch, acks


class Inbox:
    """`DeviceInbox` in this process, and the workers behind it."""

    def __init__(self, settings: Broker, comings: Comings) -> None:
        self._settings = settings
        self._comings = comings
        self._running = False
        self.queues: dict[str, Queue] = {}

    def hear(self, name: str, handler: Batch) -> None:
        """See `DeviceInbox.hear`. Only before the broker runs: every message has its handlers.

        Raises:
            RuntimeError: the broker runs already.
        """
        if self._running:
            raise RuntimeError(f"hear({name!r}) after the broker has begun to listen")
        if name not in self.queues:
            self.queues[name] = Queue(name, self._settings)
        self.queues[name].handlers.append(handler)

    def watch(self, handler: Changes) -> None:
        """See `DeviceInbox.watch`."""
        self._comings.watch(handler)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand messages on until `stop`, and then what is left. A failing handler ends it."""
        self._running = True
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(self._work(queue, stop), name=f"ingest {queue.name}")
                for queue in self.queues.values()
            ]
            await stop.wait()
            for queue in self.queues.values():
                queue.news.set()
            if workers:
                await asyncio.wait(workers)

    async def _work(self, queue: Queue, stop: asyncio.Event) -> None:
        seconds = BATCH_SECONDS.labels(queue.name)
        linger = self._settings.heartbeat_linger
        first = self.queues.get(FIRST)
        while len(queue) or not stop.is_set():
            await queue.news.wait()
            if queue.name == LATEST_WINS and not stop.is_set():
                await first_of(stop, within=linger)
            queue.news.clear()
            while len(queue):
                batch, acks = queue.take(self._settings.ingest_batch)
                await self._comings.told(max(heard.epoch for heard in batch))
                if first is not None and first is not queue:
                    await first.passed()
                began = time.perf_counter()
                for handler in queue.handlers:
                    await handler(batch)
                seconds.observe(time.perf_counter() - began)
                if first is queue:
                    await queue.done(len(batch))
                for source, packet_id in acks:
                    source.acknowledge(packet_id)
            if stop.is_set():
                return
