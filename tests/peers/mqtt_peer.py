"""What the tests ask of an ordinary MQTT client, whatever library it is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Transport = Literal["tcp", "tls", "ws"]
REFUSED = 0x80


@dataclass(frozen=True)
class Door:
    """Where the broker is, by one transport."""

    transport: Transport
    port: int
    ca: Path | None


@dataclass(frozen=True)
class Account:
    """Who logs in."""

    name: str
    password: str


@dataclass(frozen=True)
class Got:
    """A message that arrived."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass
class Ear:
    """A subscribed client."""

    codes: list[int]
    got: list[Got] = field(default_factory=list)


class Peer(Protocol):
    """What the tests ask of a client library."""

    async def publish(
        self, door: Door, who: Account, messages: list[Got], *, within: float = 10.0
    ) -> None:
        """Connect, publish all, wait for acknowledgements, say goodbye.

        Raises:
            Exception: not acknowledged `within` seconds, or cut off; each says it in its way.
        """
        ...

    def hear(self, door: Door, who: Account, name: str, qos: int) -> Any:
        """An async context: an `Ear` subscribed to filter `name`."""
        ...

    def doomed(self, door: Door, who: Account, will: Got) -> Any:
        """An async context: connected with a will; cut off at the end of the block."""
        ...

    async def code(self, door: Door, who: Account) -> int:
        """The CONNACK return code."""
        ...
