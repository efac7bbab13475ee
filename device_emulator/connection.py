"""One station's MQTT connection, over gmqtt.

gmqtt's own reconnecting is not used: it waits a fixed time, ends for good on some return
codes, and comes back with a session that is not clean. Every attempt is a new client; when
to make one is decided in `uplink`. Its memory of unacknowledged messages is replaced by one
that only tells which message was acknowledged; what to send again is decided in `uplink` too.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import gmqtt
from gmqtt.client import Client
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTConnectError

from device_emulator.effects import Connect, Publish
from device_emulator.inputs import Acked, Connected, Disconnected, Input, Received, Refused

_TIMEOUT: Final = 15.0
"""Seconds for TCP, TLS and CONNACK together."""
_POLITE: Final = 2.0
"""Seconds for a DISCONNECT to get out."""
_LAST_WORDS: Final = 0.1
_NEVER: Final = -2
"""gmqtt reconnects as long as the failures so far are at most this."""
_SUBSCRIPTION_REFUSED: Final = 128

# Every end of a connection reaches the station, which counts it; gmqtt's own lines, one or
# two a station and second in an outage, say nothing more.
logging.getLogger("gmqtt").setLevel(logging.CRITICAL)

Tell = Callable[[Input], None]


class Acknowledgements:
    """Stands where gmqtt keeps unacknowledged messages; keeps their keys only."""

    is_empty: Final = True

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._keys: dict[int, str] = {}
        self.key = ""
        """Of the message that is being published right now."""

    def push_message(self, mid: int, _: bytes) -> None:
        """A QoS 1 message went out under packet id `mid`."""
        if self.key:
            self._keys[mid] = self.key

    def remove_message_by_mid(self, mid: int) -> None:
        """PUBACK came for `mid`."""
        key = self._keys.pop(mid, "")
        if key:
            self._tell(Acked(key))

    def clear(self) -> None:
        """Asked for at every CONNACK of a clean session; there is nothing to lose."""

    def get_all(self) -> list[tuple[int, bytes]]:
        """Nothing is sent again by gmqtt."""
        return []

    async def wait_empty(self) -> None:
        """Nothing to wait for."""


class Link:
    """At most one connection. Tells Connected, then in the end Disconnected or Refused, once."""

    def __init__(self, tell: Tell, gate: asyncio.Semaphore) -> None:
        """`tell` takes what happens, at once and without raising; `gate` bounds attempts."""
        self._tell, self._gate = tell, gate
        self._client: Client | None = None
        self._acks: Acknowledgements | None = None
        self._up = False
        self._over = asyncio.Event()

    async def open(self, asked: Connect) -> None:
        """Connect, and return when the connection is over or did not come about."""
        self._over = over = asyncio.Event()
        self._acks = Acknowledgements(self._tell)
        client = self._client = _client(asked, self._acks)
        client.on_connect = lambda *_: self._connected(client, asked)
        client.on_message = self._message
        client.on_subscribe = self._subscribed
        client.on_disconnect = lambda *_: over.set()
        end: Input = Disconnected("lost")
        try:
            async with self._gate:
                refused = await _try(client, asked, over)
            if refused is None:
                await over.wait()
            else:
                end = refused
        finally:
            self._up, self._client = False, None
            _abort(client)
            self._tell(end)

    def publish(self, message: Publish) -> None:
        """Send; lost when there is no connection."""
        if self._client is None or self._acks is None or not self._up:
            return
        self._acks.key = message.key
        self._client.publish(message.topic, message.payload, qos=message.qos)
        self._acks.key = ""

    def abort(self) -> None:
        """End the connection as a pulled plug does: no DISCONNECT, so the will is published."""
        self._up = False
        if self._client is not None:
            _abort(self._client)
        self._over.set()

    async def close(self) -> None:
        """End the connection politely."""
        client, over = self._client, self._over
        if client is not None and self._up:
            self._up = False
            try:
                async with asyncio.timeout(_POLITE):
                    await client.disconnect()
            except (OSError, TimeoutError):
                _abort(client)
        over.set()

    def _connected(self, client: Client, asked: Connect) -> None:
        self._up = True
        client.subscribe([gmqtt.Subscription(name, qos=qos) for name, qos in asked.subscriptions])
        self._tell(Connected())

    def _message(self, _: Client, topic: str, payload: bytes, __: int, facts: Any) -> int:
        self._tell(Received(topic, bytes(payload), bool(facts.get("retain"))))
        return 0

    def _subscribed(self, _: Client, __: int, granted: Any, ___: Any) -> None:
        if any(qos >= _SUBSCRIPTION_REFUSED for qos in granted):
            self.abort()  # deaf is worse than offline


async def _try(client: Client, asked: Connect, over: asyncio.Event) -> Input | None:
    """Connect; None when it worked, or why not."""
    address = asked.address
    connecting = asyncio.ensure_future(
        client.connect(
            address.host,
            address.port,
            ssl=_tls(address.ca_pem) if address.tls else False,
            keepalive=asked.keepalive,
            version=MQTTv311,
        )
    )
    ended = asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait(
            {connecting, ended}, timeout=_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        if ended.done():
            # A refusal and its close come together, and gmqtt takes a few turns of the loop
            # to tell the first; of a close alone it tells nothing, and waits for ever.
            await asyncio.wait({connecting}, timeout=_LAST_WORDS)
        if not connecting.done():
            return Disconnected("closed" if over.is_set() else "timeout")
        connecting.result()
        return None
    except MQTTConnectError as error:
        return Refused(error._code)  # noqa: SLF001 - it is told nowhere else
    except OSError as error:
        return Disconnected(type(error).__name__)
    finally:
        connecting.cancel()
        ended.cancel()


def _client(asked: Connect, acks: Acknowledgements) -> Client:
    client = Client(
        asked.client_id,
        clean_session=True,
        will_message=gmqtt.Message(asked.will_topic, asked.will, qos=1),
        persistent_storage=acks,
    )
    client.set_config({"reconnect_retries": _NEVER})
    client.set_auth_credentials(asked.username, asked.password)
    return client


def _abort(client: Client) -> None:
    """Close the socket at once. gmqtt has a polite end only."""
    connection = client._connection  # noqa: SLF001
    if connection is not None:
        connection._transport.abort()  # noqa: SLF001


@lru_cache(maxsize=16)
def _tls(ca_pem: str | None) -> ssl.SSLContext:
    """One context for all stations that believe the same authority: it is what costs."""
    return ssl.create_default_context(cadata=ca_pem)
