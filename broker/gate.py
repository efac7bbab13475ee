"""The gate: reads one CONNECT, judges it, and only then lets a lane see the client."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, cast

import structlog
from prometheus_client import Counter

from broker import codec, forms
from broker.accounts import Accounts
from broker.authority import Device, Platform, ServiceAccount
from broker.lane import Lane
from broker.logins import Logins
from broker.pending import Pending
from broker.refusals import BLAMELESS, Reason, Refusal
from broker.streams import streams
from foundation.clock import Clock
from foundation.ids import Mac
from foundation.rates import Rate
from foundation.settings import Broker
from foundation.wake import first_of

log = structlog.get_logger()

CONNECTS = Counter("broker_connects_total", "Clients let in, by lane.", ["lane"])
REFUSALS = Counter("broker_refusals_total", "Clients turned away, by reason.", ["reason"])

_FORGET: Final = timedelta(minutes=1)


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
        principal: ServiceAccount | Platform,
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


@dataclass(frozen=True, slots=True)
class Judges:
    """What the gate asks, and whom it tells."""

    logins: Logins
    accounts: Accounts
    secret_used: Callable[[Device], None]
    """A station used the newest of its secrets."""


class Gate:
    """Every listener gives its connections to one gate, by `connection`."""

    def __init__(
        self,
        settings: Broker,
        clock: Clock,
        judges: Judges,
        lane: Lane,
        open_lane: OpenLane,
    ) -> None:
        self.settings = settings
        self.pending = Pending(settings.pending_connects)
        self._clock = clock
        self._lane = lane
        self._open_lane = open_lane
        self._judges = judges
        self._refused = Rate(settings.refused_rate, keys=2000)
        self._clients = 0
        self._group: asyncio.TaskGroup | None = None
        self.running = asyncio.Event()
        """Set once clients may come."""

    def connection(self) -> "Knock":
        """The protocol of a socket that was just accepted."""
        return Knock(self)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the tasks of the open lane; on `stop` turn away who still waits."""
        async with asyncio.TaskGroup() as self._group:
            self.running.set()
            while not stop.is_set():
                await first_of(stop, within=_FORGET)
                self._judges.logins.forget(self._clock())
                self._refused.sweep(self._lane.time())
            self.pending.clear()
            await self._open_lane.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside the others; a bug in it ends the process."""
        if self._group is None:
            raise RuntimeError("the gate does not run")
        return self._group.create_task(work)

    def troubled(self, address: str) -> bool:
        """Whether so many were refused from `address` that the next one gets no answer."""
        return self._refused.full(address, self._lane.time())

    def count(self, address: str, reason: Reason) -> None:
        """Count a refusal, for the address too when that was its fault."""
        REFUSALS.labels(reason.value).inc()
        if reason not in BLAMELESS:
            self._refused.add(address, self._lane.time())

    def admit_station(self, connect: codec.Connect, knock: "Knock") -> Refusal | None:
        """Judge a CONNECT with a station's id, and make it a session if it is right."""
        if self._lane.behind:
            return Refusal(Reason.UNAVAILABLE)
        if (refusal := forms.station(connect, self.settings)) is not None:
            return refusal
        mac, logins = Mac(connect.client_id), self._judges.logins
        found = logins.judge(mac, connect.username or "", connect.password or b"", self._clock())
        if isinstance(found, Refusal):
            return found
        CONNECTS.labels("device").inc()
        session = self._lane.admit(found, connect, knock.address)
        session.begin(*knock.hand_over())
        if logins.replaces_secret(found):
            self._judges.secret_used(found)
        return None

    async def admit_account(self, connect: codec.Connect, knock: "Knock") -> None:
        """Judge any other CONNECT, and give it to the open lane if it is right."""
        found = await self._account(connect, knock)
        if isinstance(found, Refusal):
            knock.refuse(found)
            return
        transport, stream = knock.hand_over()
        if transport.is_closing():
            return
        reader, writer = streams(transport, stream.rest(), self.settings.packet_bytes)
        CONNECTS.labels("open").inc()
        self._clients += 1
        expiry = None
        if isinstance(found, ServiceAccount) and found.expires_at is not None:
            left = (found.expires_at - self._clock()).total_seconds()
            expiry = asyncio.get_running_loop().call_later(left, transport.abort)
        try:
            await self._open_lane.admit(connect, found, reader, writer)
        finally:
            self._clients -= 1
            if expiry is not None:
                expiry.cancel()

    async def _account(
        self, connect: codec.Connect, knock: "Knock"
    ) -> ServiceAccount | Platform | Refusal:
        if connect.username is None or not connect.password:
            return Refusal(Reason.NO_PASSWORD)
        if self._clients >= self.settings.service_connections or self.troubled(knock.address):
            return Refusal(Reason.FULL)
        found = await self._judges.accounts.judge(connect.username, connect.password)
        if isinstance(found, Refusal):
            return found
        return forms.will_of(connect, found) or found


class Knock(asyncio.Protocol):
    """One socket before it was let in: at most one CONNECT, in bounded time and size."""

    __slots__ = ("_begun", "_gate", "_judged", "_stream", "_timer", "_transport", "address", "gone")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._begun = self._judged = False
        self._stream = codec.Stream(gate.settings.connect_bytes)
        self._timer: asyncio.TimerHandle | None = None
        self.address = ""
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the CONNECT."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        gate = self._gate
        gate.pending.add(self)
        wait = gate.settings.connect_timeout.total_seconds()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(wait, self.drop, Reason.TIMEOUT)

    def data_received(self, data: bytes) -> None:
        """Collect the CONNECT, and have it judged."""
        if self.gone:
            return
        self._stream.feed(data)
        if self._judged:
            return
        try:
            if (connect := self._connect(data[0])) is None:
                return
            refusal = forms.client_id(connect)
        except codec.WrongProtocol:
            refusal = Refusal(Reason.VERSION)
        except codec.Malformed:
            refusal = Refusal(Reason.MALFORMED)
        else:
            if refusal is None:
                refusal = self._admit(connect)
        if refusal is not None:
            self.refuse(refusal)

    def _admit(self, connect: codec.Connect) -> Refusal | None:
        if forms.is_station(connect.client_id):
            return self._gate.admit_station(connect, self)
        self._transport.pause_reading()
        self._gate.spawn(self._gate.admit_account(connect, self))
        return None

    def _connect(self, first: int) -> codec.Connect | None:
        """The CONNECT, once it has come; what begins otherwise is not waited for."""
        if first != codec.CONNECT << 4 and not self._begun:
            raise codec.Malformed("not a CONNECT")
        self._begun = True
        if (frame := self._stream.next()) is None:
            return None
        self._judged = True
        head, at, end = frame
        return codec.read_connect(head, self._stream.data[at:end])

    def hand_over(self) -> tuple[asyncio.Transport, codec.Stream]:
        """Give the connection away; this object has no part in it any more."""
        self._forget()
        return self._transport, self._stream

    def refuse(self, refusal: Refusal) -> None:
        """Say no, wait a little, close. Whose address was refused too often: close."""
        if self.gone:
            return
        gate, code = self._gate, refusal.code
        log.debug("connect.refused", address=self.address, reason=refusal.reason.value)
        if gate.troubled(self.address):
            code = None
        gate.count(self.address, refusal.reason)
        if code is None or self._transport.is_closing():
            self.drop()
            return
        self._transport.pause_reading()
        self._transport.write(codec.connack(code))
        if self._timer is not None:
            self._timer.cancel()
        delay = gate.settings.refusal_delay.total_seconds()
        self._timer = asyncio.get_running_loop().call_later(delay, self.drop)

    def crowded_out(self) -> None:
        """See `Waiting`."""
        self.drop(Reason.CROWDED)

    def drop(self, reason: Reason | None = None) -> None:
        """Close without a word; with a reason: at once, since nothing was said yet."""
        if self.gone:
            return
        self._forget()
        self.gone = True
        if reason is None:
            self._transport.close()
        else:
            self._gate.count(self.address, reason)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """It went away by itself."""
        self._forget()
        self.gone = True

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._gate.pending.discard(self)
