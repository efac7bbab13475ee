"""The comparator's seam: the same registry and API over any MQTT broker, through gmqtt.

What a platform without a broker of its own does: one service account subscribes to
everything stations say, and publishes what they are told. Behind it stand the platform's own
ingest (the same batches, the same waits) and the same registry and API, so that a ratio
compares the brokers and the way between broker and ingest, and nothing else.
"""

import asyncio
from itertools import count

import gmqtt
from gmqtt.mqtt.constants import MQTTv311

from broker.ingest import Inbox
from broker.presence import Comings
from device_registry.link import Delivery, DeviceInbox, DeviceLink, Heard, SessionChange
from foundation.clock import utc_now
from foundation.ids import Mac
from foundation.runner import Context
from foundation.wire import topics


class GmqttPorts:
    """DeviceLink, the source of what DeviceInbox hears, and the service that runs them."""

    name = "gmqtt"

    def __init__(self, context: Context, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._comings = Comings()
        self.inbox = Inbox(context.settings.broker, self._comings)
        self._epochs = count(1)
        self._epoch: dict[Mac, int] = {}
        self._client = gmqtt.Client("platform", clean_session=True)

    async def send(self, mac: Mac, topic: str, payload: bytes, *, qos: int) -> Delivery:
        """See `DeviceLink`; such a broker cannot tell whether the station is there."""
        self._client.publish(topic, payload, qos=qos)
        return Delivery.SENT

    async def kick(self, mac: Mac, reason: str) -> bool:
        """A client cannot close another one's connection."""
        return False

    def acknowledge(self, packet_id: int) -> None:
        """Nothing: the broker acknowledged to the station before we heard the message."""

    def room(self) -> None:
        """Nothing: gmqtt cannot be told to read less."""

    async def start(self) -> None:
        """Connect and subscribe."""
        self._client.on_message = self._on_message
        self._client.set_auth_credentials("platform", "tok")
        await self._client.connect(self._host, self._port, version=MQTTv311)
        self._client.subscribe("v1/+/up/s/#", qos=1)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand over what is heard, as the embedded broker does."""
        told = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._comings.run(told))
            await self.inbox.run(stop)
            told.set()

    async def close(self) -> None:
        """Disconnect."""
        await self._client.disconnect()

    def _on_message(self, _: object, topic: str, payload: bytes, qos: int, __: object) -> int:
        to, at = topics.parse(topic), utc_now()
        if to.name == "hello":
            self._epoch[to.mac] = next(self._epochs)
            self._comings.note(SessionChange(to.mac, self._epoch[to.mac], True, at))
        # QoS 0 stays QoS 0: of heartbeats the newest counts.
        heard = Heard(to.mac, self._epoch.get(to.mac, 0), payload, at)
        self.inbox.queues[to.name].put(heard, self, packet_id=qos)
        return 0


def build(context: Context, host: str, port: int) -> GmqttPorts:
    """Put the ports into the context, as `broker.service.build` does."""
    ports = GmqttPorts(context, host, port)
    context.provide(DeviceLink, ports)
    context.provide(DeviceInbox, ports.inbox)
    return ports
