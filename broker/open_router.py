"""What the open lane does with a message: who may send it, who hears it, what is kept of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from broker import authority, codec
from broker.authority import LINK, Action
from broker.open_client import Client
from broker.open_index import Index
from foundation.settings import Broker as Settings

log = structlog.get_logger()

REFUSED: Final = Counter("open_lane_refused_total", "What the authority refused.", ["action"])
RETAINED: Final = Gauge("open_lane_retained_bytes", "Size of all retained messages.")
NOT_RETAINED: Final = Counter("open_lane_not_retained_total", "No room to retain them.")

STATIONS: Final = "v1"
"""First level of every topic of a station."""
_NEVER_KEPT: Final = (f"{STATIONS}/", LINK, "$")
_ENTRY_BYTES: Final = 512
"""What a retained message costs beside its topic and payload."""
_BREATH: Final = 200
"""Retained messages looked at between two turns of the event loop."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The last message of a topic."""

    payload: bytes
    qos: int

    def cost(self, topic: str) -> int:
        """Bytes."""
        return _ENTRY_BYTES + len(topic) + len(self.payload)


class Router:
    """Subscriptions and retained messages. Every step asks the authority."""

    def __init__(self, settings: Settings, stations_heard: Callable[[bool], None]) -> None:
        """Start with nothing.

        Args:
            settings: how much may be kept, and how many subscriptions a client has.
            stations_heard: told, after every change, whether any subscription can match a
                topic of a station.
        """
        self._settings = settings
        self._stations_heard = stations_heard
        self._index: Index[Client] = Index()
        self._kept: dict[str, Kept] = {}
        self._bytes = 0

    def publish(
        self, client: Client, topic: str, payload: bytes, qos: int, *, retain: bool
    ) -> bool:
        """Deliver what `client` says, and keep it; False when it may not say it."""
        if not allowed(client, Action.PUBLISH, topic):
            return False
        self.route(topic, payload, qos)
        if retain:
            self._keep(topic, Kept(payload, qos))
        return True

    def route(self, topic: str, payload: bytes, qos: int) -> None:
        """Deliver now to whoever subscribed and may receive it. Never waits."""
        name = topic.encode()
        for client, granted in self._index.match(topic).items():
            if allowed(client, Action.RECEIVE, topic):
                client.deliver(name, payload, min(qos, granted))

    def subscribe(self, client: Client, wanted: str, qos: int) -> int:
        """The granted QoS, 1 at most, or `codec.REFUSED`."""
        if not allowed(client, Action.SUBSCRIBE, wanted):
            return codec.REFUSED
        full = self._index.count(client) >= self._settings.service_subscriptions
        if full and not self._index.has(wanted, client):
            return codec.REFUSED
        self._index.add(wanted, client, min(qos, 1))
        self._tell()
        return min(qos, 1)

    def unsubscribe(self, client: Client, ended: str) -> bool:
        """End one subscription; False when there was none."""
        removed = self._index.remove(ended, client)
        self._tell()
        return removed

    def leave(self, client: Client) -> None:
        """End all that `client` has."""
        self._index.drop(client)
        self._tell()

    async def send_kept(self, client: Client, wanted: str, qos: int) -> None:
        """Give a new subscriber the kept messages it asked for and may receive."""
        for seen, topic in enumerate(list(self._kept), 1):
            if seen % _BREATH == 0:
                await asyncio.sleep(0)
            kept = self._kept.get(topic)  # as it is now, not as it was when we began
            if kept is None or not authority.covers(wanted, topic):
                continue
            if client.ended or not self._index.has(wanted, client):
                return
            if allowed(client, Action.RECEIVE, topic):
                least = min(qos, kept.qos, 1)
                client.deliver(topic.encode(), kept.payload, least, retain=True)
                await client.drain()

    def _keep(self, topic: str, new: Kept) -> None:
        """Nothing of a station or of a link is ever kept; an empty payload ends a topic."""
        if topic.startswith(_NEVER_KEPT):
            return
        old = self._kept.get(topic)
        size = self._bytes - (old.cost(topic) if old else 0)
        if not new.payload:
            self._kept.pop(topic, None)
        elif size + new.cost(topic) > self._settings.retained_bytes:
            NOT_RETAINED.inc()
            log.warning("message.retain.refused", room=self._settings.retained_bytes)
            return
        else:
            size += new.cost(topic)
            self._kept[topic] = new
        self._bytes = size
        RETAINED.set(size)

    def _tell(self) -> None:
        self._stations_heard(self._index.reaches(STATIONS))


def allowed(client: Client, action: Action, topic: str) -> bool:
    """What the authority says; counts what it refuses."""
    if authority.may(client.principal, action, topic):
        return True
    REFUSED.labels(action.value).inc()
    return False
