"""amqtt 0.12.1 as it comes, with ordinary plug-ins: what the attacks must succeed against.

The plug-ins are what a careful user of amqtt would write: a password for every account, the
client id tied to the account, an access list for publish, subscribe and receive, and hooks
for ingest and presence. Nothing here is made weak on purpose.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin, BaseTopicPlugin
from amqtt.session import ApplicationMessage, Session

PLATFORM = "platform"


@dataclass
class Books:
    """Accounts, and what the plug-ins saw. A class: amqtt refuses bare callables."""

    passwords: dict[str, str]
    """By client id; the user name is the same."""
    ingested: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Client id, topic and payload of everything `on_broker_message_received` gave."""
    online: dict[str, bool] = field(default_factory=dict)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: ingest stores at once. Cleared: it is waiting for its database."""
    stored: list[bytes] = field(default_factory=list)
    reachable: bool = True
    """Whether the table of passwords can be read now."""


class Passwords(BaseAuthPlugin):
    """User name, password and client id must belong together."""

    @dataclass
    class Config:
        """Filled in by `running`."""

        books: Books

    async def authenticate(self, *, session: Session) -> bool:
        """True when they do. There is no way to say "I cannot tell now"."""
        books: Books = self.config.books
        if not books.reachable:
            return False
        expected = books.passwords.get(session.username or "")
        return expected == session.password and session.client_id == session.username


class AccessList(BaseTopicPlugin):
    """A station publishes under its `up`, and hears its `dn`; the platform may everything."""

    @dataclass
    class Config:
        """Filled in by `running`."""

        books: Books

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """True when the list allows it."""
        if session is None or topic is None:
            return False
        if session.username == PLATFORM:
            return True
        way = "up" if action is Action.PUBLISH else "dn"
        return topic.startswith(f"v1/{session.username}/{way}/")


class Ingest(BasePlugin[Any]):
    """What the platform learns of messages and connections."""

    @dataclass
    class Config:
        """Filled in by `running`."""

        books: Books

    async def on_broker_message_received(
        self, *, client_id: str, message: ApplicationMessage
    ) -> None:
        """Store a message."""
        books: Books = self.config.books
        books.ingested.append((client_id, message.topic, bytes(message.data)))
        await books.hold.wait()
        books.stored.append(bytes(message.data))

    async def on_broker_client_connected(self, *, client_id: str, client_session: Session) -> None:
        """Somebody is there."""
        self.config.books.online[client_id] = True

    async def on_broker_client_disconnected(
        self, *, client_id: str, client_session: Session
    ) -> None:
        """Somebody has gone."""
        self.config.books.online[client_id] = False


@dataclass
class PlainBroker:
    """A running one."""

    port: int
    books: Books
    broker: Broker

    def sessions(self) -> int:
        """How many it remembers."""
        return len(self.broker.sessions)


@asynccontextmanager
async def running(passwords: dict[str, str]) -> AsyncIterator[PlainBroker]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    books = Books(passwords)
    books.hold.set()
    plugin = {"books": books}
    names = ("Passwords", "AccessList", "Ingest")
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}},
            "plugins": {f"{__name__}.{name}": plugin for name in names},
        }
    )
    await broker.start()
    server = broker._servers["default"].instance
    assert server is not None
    port = next(iter(server.sockets)).getsockname()[1]
    try:
        yield PlainBroker(port, books, broker)
    finally:
        books.hold.set()
        server.close()
        for client_id in list(broker._sessions):
            await asyncio.wait_for(broker._cleanup_session(client_id), 5)
        await asyncio.wait_for(broker.shutdown(), 10)
