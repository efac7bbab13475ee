"""The gate: reads one CONNECT, judges it, and only then lets a lane see the client."""

import asyncio
from typing import Protocol

from broker import authority, codec


class OpenLane(Protocol):
    """Where clients go that are no stations (`broker.server` puts amqtt behind it).

    Built by `broker.server.open_lane(context, lane) -> OpenLane`. It asks
    `authority.may(principal, action, topic)` for every publish, subscribe and delivery.
    To carry messages of stations it sets `lane.mirror = function(topic, payload, qos)`
    while somebody's subscription can match a topic under `v1/`, and `None` otherwise: the
    function is called in the device lane's hot path, must not block, raise or grow.
    """

    async def start(self) -> None:
        """Be ready to admit."""
        ...

    async def admit(
        self,
        connect: codec.Connect,
        principal: authority.ServiceAccount | authority.Platform,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Serve one client until it is gone; the writer is closed when this returns.

        The gate has read the CONNECT and has judged form, password and will; it has not
        answered. The lane may replay `dataclasses.replace(connect, password=ticket).encode()`
        in front of `reader`, and sends the CONNACK. Client ids are not unique between
        accounts, and may be empty: the lane keeps those of one account from those of
        another. Raises nothing that a client can cause.
        """
        ...

    async def close(self) -> None:
        """Disconnect everybody."""
        ...
