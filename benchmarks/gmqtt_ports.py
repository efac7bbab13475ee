"""The comparator's seam: the same registry and API over any MQTT broker, through gmqtt.

What a platform without a broker of its own does: one service account subscribes to
everything stations say, and publishes what they are told. The rest of the platform is the
same code, so that a ratio compares the brokers and nothing else.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import count

import gmqtt
from gmqtt.mqtt.constants import MQTTv311

from device_registry.link import (
    Batch,
    Changes,
    Delivery,
    DeviceInbox,
    DeviceLink,
    Heard,
    SessionChange,
)
from foundation.clock import utc_now
from foundation.ids import Mac
from foundation.runner import Context
from foundation.wire import topics


class GmqttPorts:
    """DeviceLink, DeviceInbox and the service that runs them."""

    name = "gmqtt"

    def __init__(self, host: str, port: int, batch: int) -> None:
        self._host, self._port, self._batch = host, port, batch
        self._handlers: defaultdict[str, list[Batch]] = defaultdict(list)
        self._watchers: list[Changes] = []
        self._queues: defaultdict[str, list[Heard]] = defaultdict(list)
        self._wake = asyncio.Event()
        self._epochs = count(1)
        self._epoch: dict[Mac, int] = {}
        self._client = gmqtt.Client("platform", clean_session=True)

    def hear(self, name: str, handler: Batch) -> None:
        """See `DeviceInbox`."""
        self._handlers[name].append(handler)

    def watch(self, handler: Changes) -> None:
        """See `DeviceInbox`."""
        self._watchers.append(handler)

    async def send(self, mac: Mac, topic: str, payload: bytes, *, qos: int) -> Delivery:
        """See `DeviceLink`; such a broker cannot tell whether the station is there."""
        self._client.publish(topic, payload, qos=qos)
        return Delivery.SENT

    async def kick(self, mac: Mac, reason: str) -> bool:
        """A client cannot close another one's connection."""
        return False

    async def start(self) -> None:
        """Connect and subscribe."""
        self._client.on_message = self._on_message
        self._client.set_auth_credentials("platform", "tok")
        await self._client.connect(self._host, self._port, version=MQTTv311)
        self._client.subscribe("v1/+/up/s/#", qos=1)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand over what was heard, in batches."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            waking = asyncio.create_task(self._wake.wait())
            await asyncio.wait([stopping, waking], return_when=asyncio.FIRST_COMPLETED)
            waking.cancel()
            self._wake.clear()
            for name in list(self._queues):
                while heard := self._queues[name][: self._batch]:
                    del self._queues[name][: len(heard)]
                    await self._hand_over(name, heard)
        stopping.cancel()

    async def close(self) -> None:
        """Disconnect."""
        await self._client.disconnect()

    async def _hand_over(self, name: str, heard: Sequence[Heard]) -> None:
        if name == "hello":
            changes = [SessionChange(one.mac, one.epoch, True, one.at) for one in heard]
            for watcher in self._watchers:
                await watcher(changes)
        for handler in self._handlers[name]:
            await handler(heard)

    def _on_message(self, _: object, topic: str, payload: bytes, qos: int, __: object) -> int:
        mac, name = topics.parse(topic).mac, topics.parse(topic).name
        if name == "hello":
            self._epoch[mac] = next(self._epochs)
        at: datetime = utc_now()
        self._queues[name].append(Heard(mac, self._epoch.get(mac, 0), payload, at))
        self._wake.set()
        return 0


def build(context: Context, host: str, port: int) -> GmqttPorts:
    """Put the ports into the context, as `broker.service.build` does."""
    ports = GmqttPorts(host, port, context.settings.broker.ingest_batch)
    context.provide(DeviceLink, ports)
    context.provide(DeviceInbox, ports)
    return ports
