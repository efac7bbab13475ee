"""What an attack is aimed at: a plain amqtt broker, or our platform, seen in the same way."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from tests.attacks.raw import Wire, comes_true, publish, wires
from tests.support import plain_amqtt
from tests.support.until import until


@dataclass(frozen=True)
class Station:
    """A registered station; `password` makes one that is good for one login."""

    mac: str
    username: str
    password: Callable[[], str]

    @property
    def filters(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """What it subscribes to."""
        return (f"v1/{self.mac}/dn/s/#", 1), (f"v1/{self.mac}/dn/c/#", 0)

    @property
    def command(self) -> str:
        """The topic that opens its door."""
        return f"v1/{self.mac}/dn/c/cmd"

    def up(self, name: str) -> str:
        """A topic it may publish on."""
        return f"v1/{self.mac}/up/s/{name}"

    async def login(self, wire: Wire, **kwargs: object) -> int | None:
        """CONNECT with everything right, unless `kwargs` say otherwise."""
        return await wire.login(self.mac, self.username, self.password(), **kwargs)

    async def online(self, wire: Wire, **kwargs: object) -> Wire:
        """Log in and subscribe as an honest station does."""
        assert await self.login(wire, **kwargs) == 0
        assert await wire.join(*self.filters) == [1, 0]
        return wire


class Target(Protocol):
    """A broker with three registered stations."""

    vulnerable: bool
    """Whether the attack must succeed: a test that cannot fail proves nothing."""
    victim: Station
    neighbour: Station
    thief: Station
    """A station whose secret the attacker has."""

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        ...

    async def command(self, station: Station, payload: bytes) -> object:
        """The platform sends a live command to `station`, if it believes it to be there."""
        ...

    def ingested(self, station: Station) -> list[bytes]:
        """What the platform took for messages of `station`."""
        ...

    def online(self, station: Station) -> bool:
        """Whether the platform believes `station` to be connected."""
        ...

    def sessions(self) -> int:
        """How many sessions it remembers."""
        ...

    def pause(self) -> None:
        """The database hangs."""
        ...

    def resume(self) -> None:
        """It works again."""
        ...

    def stored(self) -> list[bytes]:
        """What is in the database for certain."""
        ...

    async def lose_accounts(self) -> None:
        """Who may log in cannot be read any more."""
        ...

    async def find_accounts(self) -> None:
        """It can again."""
        ...


async def harmed(target: Target, check: Callable[[], bool]) -> bool:
    """Whether the harm `check` sees is done. A busy machine may take a while to do it."""
    return await comes_true(check, 10.0 if target.vulnerable else 1.0)


async def saved(target: Target, check: Callable[[], bool], within: float = 1.0) -> bool:
    """Whether the defence `check` sees comes into force; `within` is for who has none."""
    return await comes_true(check, within if target.vulnerable else 10.0)


STATIONS = ("02000000000a", "02000000000b", "02000000000c")


class PlainTarget:
    """amqtt with ordinary plug-ins; its platform is a client with an account of its own."""

    vulnerable = True

    def __init__(self, plain: plain_amqtt.PlainBroker, platform: Wire) -> None:
        self.port = plain.port
        self._plain = plain
        self._platform = platform
        self.victim, self.neighbour, self.thief = (
            Station(mac, mac, lambda: "right") for mac in STATIONS
        )

    async def command(self, station: Station, payload: bytes) -> None:
        """Publish it, QoS 0."""
        await self._platform.send(publish(station.command, payload))

    def ingested(self, station: Station) -> list[bytes]:
        """By topic, as an ingest plug-in must."""
        root = f"v1/{station.mac}/up/"
        return [data for _, topic, data in self._plain.books.ingested if topic.startswith(root)]

    def online(self, station: Station) -> bool:
        """By the connect and disconnect events."""
        return self._plain.books.online.get(station.mac, False)

    def sessions(self) -> int:
        """In its table."""
        return self._plain.sessions()

    def pause(self) -> None:
        """Ingest waits."""
        self._plain.books.hold.clear()

    def resume(self) -> None:
        """Ingest goes on."""
        self._plain.books.hold.set()

    def stored(self) -> list[bytes]:
        """What ingest has finished with."""
        return self._plain.books.stored

    async def lose_accounts(self) -> None:
        """Its plug-in notices."""
        self._plain.books.reachable = False

    async def find_accounts(self) -> None:
        """Its plug-in notices."""
        self._plain.books.reachable = True


@asynccontextmanager
async def plain_target() -> AsyncIterator[PlainTarget]:
    """A plain broker, with the platform connected and listening."""
    accounts = dict.fromkeys(STATIONS, "right") | {plain_amqtt.PLATFORM: "platform"}
    async with plain_amqtt.running(accounts) as plain, wires(plain.port) as dial:
        platform = await dial()
        assert await platform.login(plain_amqtt.PLATFORM, plain_amqtt.PLATFORM, "platform") == 0
        for name in ("v1/+/up/#", "v1/+/dn/#", "v1/+/dn/+/cmd"):
            assert await platform.join((name, 0)) == [0]
        await until(lambda: plain.books.online.get(plain_amqtt.PLATFORM))
        yield PlainTarget(plain, platform)
