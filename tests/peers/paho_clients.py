"""paho and aiomqtt as MQTT clients."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import aiomqtt
import paho.mqtt.client
from paho.mqtt.enums import CallbackAPIVersion

from tests.peers.mqtt_peer import Account, Door, Ear, Got
from tests.support.until import until

_CODES = {0: 0, 0x84: 1, 0x85: 2, 0x88: 3, 0x86: 4, 0x87: 5}
"""paho gives the reason code of MQTT 5 that means the same as the return code of 3.1.1."""
# paho 2 brings its own types; the stubs of paho 1 that hide them know none of this.
_paho: Any = paho.mqtt.client


class Paho:
    """paho-mqtt, in its own thread."""

    async def publish(
        self, door: Door, who: Account, messages: list[Got], *, within: float = 10.0
    ) -> None:
        """All in one connection."""
        client, _ = await self._connected(door, who, "mouth")
        sent = [client.publish(m.topic, m.payload, qos=m.qos, retain=m.retain) for m in messages]
        try:
            await until(lambda: all(one.is_published() for one in sent), within)
        finally:
            await self._bye(client)

    @asynccontextmanager
    async def hear(self, door: Door, who: Account, name: str, qos: int) -> AsyncIterator[Ear]:
        """By its callbacks."""
        ear = Ear([])

        def subscribed(client: Any, data: Any, mid: int, codes: list[Any], props: Any) -> None:
            ear.codes = [code.value for code in codes]

        def arrived(client: Any, data: Any, message: Any) -> None:
            got = Got(message.topic, message.payload, message.qos, message.retain)
            ear.got.append(got)

        client, _ = await self._connected(door, who, "ear", subscribed=subscribed, arrived=arrived)
        client.subscribe(name, qos)
        try:
            await until(lambda: ear.codes)
            yield ear
        finally:
            await self._bye(client)

    @asynccontextmanager
    async def doomed(self, door: Door, who: Account, will: Got) -> AsyncIterator[None]:
        """Its socket is closed under it."""
        client, _ = await self._connected(door, who, "doomed", will=will)
        yield
        _cut(client.socket().fileno())
        await asyncio.to_thread(client.loop_stop)

    async def code(self, door: Door, who: Account) -> int:
        """Of its callback."""
        client, reason = await self._connected(door, who, "c")
        await self._bye(client)
        return _CODES[reason]

    @staticmethod
    async def _connected(
        door: Door,
        who: Account,
        client_id: str,
        *,
        subscribed: Any = None,
        arrived: Any = None,
        will: Got | None = None,
    ) -> tuple[Any, int]:
        client = _paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=_paho.MQTTv311,
            transport="websockets" if door.transport == "ws" else "tcp",
        )
        client.username_pw_set(who.name, who.password)
        if door.ca:
            client.tls_set(str(door.ca))
        if will:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        reasons: list[int] = []
        client.on_connect = lambda c, d, flags, reason, props: reasons.append(reason.value)
        client.on_subscribe, client.on_message = subscribed, arrived
        await asyncio.to_thread(client.connect, "127.0.0.1", door.port)
        client.loop_start()
        await until(lambda: reasons)
        return client, reasons[0]

    @staticmethod
    async def _bye(client: Any) -> None:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)


class Aiomqtt:
    """aiomqtt: paho inside, but driven by the event loop."""

    async def publish(
        self, door: Door, who: Account, messages: list[Got], *, within: float = 10.0
    ) -> None:
        """All in one connection."""
        async with self._client(door, who, "mouth", within=within) as client:
            for m in messages:
                await client.publish(m.topic, m.payload, m.qos, m.retain)

    @asynccontextmanager
    async def hear(self, door: Door, who: Account, name: str, qos: int) -> AsyncIterator[Ear]:
        """By its message iterator."""
        async with self._client(door, who, "ear") as client:
            codes = await client.subscribe(name, qos)
            ear = Ear([int(getattr(code, "value", code)) for code in cast("Any", codes)])
            reading = asyncio.create_task(self._read(client, ear))
            try:
                yield ear
            finally:
                reading.cancel()

    @asynccontextmanager
    async def doomed(self, door: Door, who: Account, will: Got) -> AsyncIterator[None]:
        """Its socket is closed under it."""
        last = aiomqtt.Will(will.topic, will.payload, will.qos, will.retain)
        with suppress(aiomqtt.MqttError):
            async with self._client(door, who, "doomed", will=last) as client:
                yield
                _cut(cast("Any", client._client.socket()).fileno())
                async for _ in client.messages:
                    break

    async def code(self, door: Door, who: Account) -> int:
        """As its exception says."""
        try:
            async with self._client(door, who, "c"):
                return 0
        except aiomqtt.MqttCodeError as error:
            return _CODES[getattr(error.rc, "value", -1)]

    @staticmethod
    def _client(
        door: Door,
        who: Account,
        client_id: str,
        *,
        will: aiomqtt.Will | None = None,
        within: float = 10.0,
    ) -> aiomqtt.Client:
        context = ssl.create_default_context(cafile=str(door.ca)) if door.ca else None
        return aiomqtt.Client(
            "127.0.0.1",
            door.port,
            identifier=client_id,
            username=who.name,
            password=who.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            transport="websockets" if door.transport == "ws" else "tcp",
            tls_context=context,
            will=will,
            timeout=within,
        )

    @staticmethod
    async def _read(client: aiomqtt.Client, ear: Ear) -> None:
        async for m in client.messages:
            ear.got.append(Got(str(m.topic), bytes(cast("Any", m.payload)), m.qos, m.retain))


def _cut(fileno: int) -> None:
    """End a connection below the library's feet, without a DISCONNECT."""
    with socket.socket(fileno=os.dup(fileno)) as sock:
        sock.shutdown(socket.SHUT_RDWR)
