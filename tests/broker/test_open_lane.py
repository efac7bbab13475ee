"""The open lane on its own: amqtt behind our filter, with a gate that lets everybody in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.session import Session

from broker import codec
from broker.authority import Platform, ServiceAccount
from broker.lane import Lane
from broker.open_lane import ServiceLane
from broker.server import OpenBroker
from foundation.settings import Broker as Settings
from tests.attacks.raw import (
    BYE,
    PING,
    PUBACK,
    Dial,
    Will,
    Wire,
    comes_true,
    connect,
    packet,
    publish,
    subscribe,
    text,
    wires,
)
from tests.support.until import until

SETTINGS = Settings(service_queue=200_000, service_subscriptions=5, retained_bytes=20_000)
ACCOUNTS: dict[str, ServiceAccount | Platform] = {
    "writer": ServiceAccount("writer", publish=("site/#",), subscribe=("site/#",)),
    "reader": ServiceAccount("reader", subscribe=("site/+/state", "v1/+/up/#")),
    "all": ServiceAccount("all", publish=("#",), subscribe=("#",)),
    "platform": Platform(),
}


@dataclass
class DeviceLane:
    """All that the open lane knows of the device lane."""

    mirror: Any = None


@dataclass
class Open:
    """A running open lane; the user name picks the principal, the password is not looked at."""

    lane: ServiceLane
    stations: DeviceLane
    port: int
    dial: Dial
    served: set[asyncio.Task[None]] = field(default_factory=set)

    async def client(self, account: str, client_id: str = "c", **kwargs: Any) -> Wire:
        """Logged in."""
        wire = await self.dial(reading=kwargs.pop("reading", True))
        if not kwargs.pop("quiet", False):
            assert await wire.login(client_id, account, "x", **kwargs) == 0
        return wire


@pytest.fixture
async def lane() -> AsyncIterator[Open]:
    stations = DeviceLane()
    service = ServiceLane(SETTINGS, cast(Lane, stations), OpenBroker)
    await service.start()
    tasks: set[asyncio.Task[None]] = set()

    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(cast("asyncio.Task[None]", asyncio.current_task()))
        with suppress(asyncio.IncompleteReadError):
            head = (await reader.readexactly(1))[0]
            size = shift = 0
            while True:
                byte = (await reader.readexactly(1))[0]
                size |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            connect = codec.read_connect(head, await reader.readexactly(size))
            principal = ACCOUNTS[connect.username or ""]
            await service.admit(connect, principal, reader, writer)

    server = await asyncio.start_server(arrived, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with wires(port) as dial:
        yield Open(service, stations, port, dial)
        server.close()
        await service.close()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


def heard(wire: Wire) -> list[tuple[str, bytes, int, bool]]:
    return [(m.topic, m.payload, m.qos, m.retain) for m in wire.heard]


async def test_messages_arrive_in_order_at_the_lower_qos(lane: Open) -> None:
    reader, writer = await lane.client("reader"), await lane.client("writer")
    assert await reader.join(("site/+/state", 1)) == [1]
    for n in range(50):
        await writer.send(publish("site/a/state", b"%d" % n, qos=n % 2, pid=n + 1))
    await until(lambda: len(reader.heard) == 50)
    assert heard(reader) == [("site/a/state", b"%d" % n, n % 2, False) for n in range(50)]
    assert sum(kind == PUBACK for kind, _ in writer.packets) == 25


async def test_what_is_said_last_is_not_lost(lane: Open) -> None:
    """amqtt cancels what is under way at a DISCONNECT: acknowledged messages vanish there."""
    reader = await lane.client("reader")
    assert await reader.join(("site/+/state", 0)) == [0]
    for n in range(20):
        writer = await lane.client("writer", f"w{n}")
        burst = [publish("site/a/state", b"%d" % m, qos=1, pid=m + 1) for m in range(30)]
        await writer.send(*burst, BYE)
        await until(lambda w=writer: w.closed)  # type: ignore[misc]
    await until(lambda: len(reader.heard) == 600)


async def test_qos_2_comes_in_once(lane: Open) -> None:
    reader, writer = await lane.client("reader"), await lane.client("writer")
    assert await reader.join(("site/+/state", 2)) == [1]
    twice = publish("site/a/state", b"once", qos=2, pid=9)
    await writer.send(twice, twice)
    assert await writer.answer(5) == b"\x00\x09"
    await writer.send(packet(0x62, b"\x00\x09"))
    assert await writer.answer(7) == b"\x00\x09"
    await writer.send(twice, PING)
    assert await writer.alive()
    await until(lambda: len(reader.heard) == 2)
    assert [m.qos for m in reader.heard] == [1, 1]


async def test_scopes_bound_what_is_subscribed(lane: Open) -> None:
    reader = await lane.client("reader")
    asked = ["site/+/state", "#", "+/+/state", "site/#", "link/x", "v1/#", "v1/+/up/s/hb", "a/#/b"]
    granted = await reader.join(*((name, 0) for name in asked))
    assert granted == [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x80]
    everything = await lane.client("all")
    assert await everything.join(("#", 0), ("link/#", 0), ("$SYS/#", 0)) == [0, 0x80, 0x80]


@pytest.mark.parametrize("topic", ["site/a", "v1/02000000000a/dn/c/cmd", "link/x", "$SYS/x"])
async def test_who_says_what_it_may_not_is_cut_off(lane: Open, topic: str) -> None:
    account = "reader" if topic == "site/a" else "all"
    everything, culprit = await lane.client("all", "ear"), await lane.client(account)
    assert await everything.join(("#", 0)) == [0]
    await culprit.send(publish(topic, b"x", qos=1))
    await until(lambda: culprit.closed)
    assert (PUBACK, b"\x00\x01") not in culprit.packets
    assert await everything.alive()
    assert heard(everything) == []


async def test_retained_messages_reach_only_who_asks_and_may(lane: Open) -> None:
    writer = await lane.client("writer")
    for topic, payload in (("site/a/state", b"1"), ("site/a/secret", b"2"), ("site/b/state", b"3")):
        await writer.send(publish(topic, payload, qos=1, retain=True))
    assert await writer.alive()
    reader = await lane.client("reader")
    assert await reader.alive()
    assert heard(reader) == []
    assert await reader.join(("site/+/state", 1)) == [1]
    await until(lambda: len(reader.heard) == 2)
    assert heard(reader) == [("site/a/state", b"1", 1, True), ("site/b/state", b"3", 1, True)]

    await writer.send(publish("site/a/state", b"", retain=True))
    assert await writer.alive()
    later = await lane.client("reader", "later")
    assert await later.join(("site/+/state", 0)) == [0]
    assert await later.alive()
    assert heard(later) == [("site/b/state", b"3", 0, True)]


async def test_retained_messages_have_bounds(lane: Open) -> None:
    writer = await lane.client("writer")
    for n in range(40):
        await writer.send(publish(f"site/{n}/state", b"x" * 1000, retain=True))
    assert await writer.alive()
    reader = await lane.client("reader")
    await reader.join(("site/+/state", 0))
    assert await reader.alive()
    assert 0 < len(reader.heard) < 20


async def test_nothing_of_a_station_is_retained(lane: Open) -> None:
    platform, reader = await lane.client("platform"), await lane.client("reader")
    await platform.send(publish("v1/02000000000a/up/s/hb", b"old", retain=True))
    assert await platform.alive()
    assert await reader.join(("v1/+/up/#", 0)) == [0]
    assert await reader.alive()
    assert heard(reader) == []


async def test_stations_are_mirrored_only_while_somebody_listens(lane: Open) -> None:
    assert lane.stations.mirror is None
    writer, reader = await lane.client("writer"), await lane.client("reader")
    assert await writer.join(("site/#", 0)) == [0]
    assert lane.stations.mirror is None
    assert await reader.join(("v1/+/up/s/hb", 1)) == [1]
    mirror: Any = lane.stations.mirror
    mirror("v1/02000000000a/up/s/hb", b"beat", 1)
    mirror("v1/02000000000a/up/s/evt", b"event", 1)
    await until(lambda: reader.heard)
    assert heard(reader) == [("v1/02000000000a/up/s/hb", b"beat", 1, False)]
    await reader.close()
    await until(lambda: lane.stations.mirror is None)


async def test_a_will_is_published_unless_goodbye_was_said(lane: Open) -> None:
    reader = await lane.client("reader")
    assert await reader.join(("site/+/state", 0)) == [0]
    will = Will("site/a/state", b"gone", retain=True)
    polite = await lane.client("writer", "polite", will=will)
    await polite.send(BYE)
    await until(lambda: polite.closed)
    assert await reader.alive()
    assert heard(reader) == []

    (await lane.client("writer", "rude", will=will)).reset()
    await until(lambda: reader.heard)
    later = await lane.client("reader", "later")
    await later.join(("site/+/state", 0))
    await until(lambda: heard(later) == [("site/a/state", b"gone", 0, True)])


async def test_a_will_it_may_not_publish_is_dropped(lane: Open) -> None:
    """The gate refuses it before; rights may have changed since."""
    everything = await lane.client("all")
    assert await everything.join(("#", 0)) == [0]
    (await lane.client("writer", will=Will("elsewhere", b"x"))).reset()
    (await lane.client("writer", "w2", will=Will("site/x", b"right"))).reset()
    await until(lambda: everything.heard)
    assert heard(everything) == [("site/x", b"right", 0, False)]


async def test_a_name_is_connected_once_and_only_within_its_account(lane: Open) -> None:
    old, other = await lane.client("writer", "same"), await lane.client("reader", "same")
    new = await lane.client("writer", "same")
    await until(lambda: old.closed)
    assert await other.alive()
    assert await new.join(("site/#", 0)) == [0]
    await new.send(publish("site/x", b"heard"))
    await until(lambda: new.heard)


async def test_a_silent_client_is_closed(lane: Open) -> None:
    silent = await lane.client("writer", keepalive=1, will=Will("site/a/state", b"gone"))
    reader = await lane.client("reader", keepalive=0)
    await reader.join(("site/+/state", 0))
    await silent.send(b"\x30")  # part of a packet is no sign of life
    await until(lambda: silent.closed, 3)
    await until(lambda: reader.heard)
    assert await reader.alive()


async def test_a_client_that_does_not_read_is_cut(lane: Open) -> None:
    stalled = await lane.client("reader", reading=False, quiet=True)
    await stalled.send(connect("s", "reader", "x"), subscribe([("site/+/state", 1)]))
    writer = await lane.client("writer")
    for _ in range(1500):
        await writer.send(publish("site/a/state", b"x" * 4000, qos=0))
    assert await writer.alive()
    fresh = await lane.client("reader", "fresh")
    assert await fresh.join(("site/+/state", 0)) == [0]
    await writer.send(publish("site/a/state", b"after"))
    await until(lambda: fresh.heard)
    assert len(lane.lane._clients._clients) == 2


async def test_a_client_that_never_acknowledges_is_cut(lane: Open) -> None:
    lazy = await lane.client("reader")
    lazy.acknowledge = False
    assert await lazy.join(("site/+/state", 1)) == [1]
    writer = await lane.client("writer")
    for n in range(100):
        await writer.send(publish("site/a/state", b"x" * 1000, qos=1, pid=n + 1))
    await until(lambda: len(lazy.heard) == 100)
    for n in range(300):
        await writer.send(publish("site/a/state", b"x" * 1000, qos=1, pid=n + 1))
    await until(lambda: lazy.closed)
    assert len(lazy.heard) == 100


async def test_subscriptions_are_few(lane: Open) -> None:
    writer = await lane.client("writer")
    codes = await writer.join(*((f"site/{n}", 0) for n in range(8)))
    assert codes == [0] * 5 + [0x80] * 3
    assert await writer.join(("site/0", 1)) == [1]
    await writer.send(packet(0xA2, b"\x00\x07" + text("site/0")))
    assert await writer.answer(11) == b"\x00\x07"
    assert await writer.join(("site/7", 0)) == [0]


@pytest.mark.parametrize(
    "bad",
    [
        b"\x10\x00",
        b"\x00\x00",
        b"\xf0\x00",
        b"\xd0\x00",
        b"\x50\x02\x00\x01",
        b"\x70\x02\x00\x01",
        b"\x60\x02\x00\x01",
        b"\xc0\x01x",
        b"\xe0\x01x",
        b"\x82\x02\x00\x01",
        packet(0x82, b"\x00\x01" + b"".join(text("site/x") + b"\0" for _ in range(101))),
        publish("site/+", b"x"),
        publish("", b"x"),
        publish(b"site/\xff", b"x"),
        publish("site/x", b"x" * 70_000),
        packet(0x36, text("site/x") + b"\x00\x01x"),
    ],
    ids=lambda bad: bad[:6].hex(),
)
async def test_what_is_malformed_closes_the_connection(lane: Open, bad: bytes) -> None:
    wire, witness = await lane.client("all"), await lane.client("all", "witness")
    await witness.join(("#", 0))
    await wire.send(bad)
    await until(lambda: wire.closed)
    assert await witness.alive()
    assert not witness.heard


async def test_too_much_is_slowed_down_not_lost(lane: Open) -> None:
    writer, reader = await lane.client("writer"), await lane.client("reader")
    await reader.join(("site/+/state", 0))
    burst = 11_000  # ten seconds' worth of 1,000 a second are free
    await writer.send(*[publish("site/a/state", b"x")] * burst)
    assert not await comes_true(lambda: len(reader.heard) == burst, 0.3)
    await until(lambda: len(reader.heard) == burst, 20)


async def test_everybody_is_gone_after_close(lane: Open) -> None:
    clients = [await lane.client("all", f"c{n}") for n in range(5)]
    assert all([await client.join(("#", 0)) == [0] for client in clients])
    await lane.lane.close()
    await until(lambda: all(client.closed for client in clients))
    assert lane.stations.mirror is None


async def test_the_paths_of_amqtt_itself_ask_too(lane: Open) -> None:
    """What is overridden does not use them; should it ever, the authority stands there as well."""
    reader = await lane.client("reader")
    assert await reader.alive()
    engine = lane.lane._engine
    assert isinstance(engine, OpenBroker)
    ((session, _),) = engine.sessions.values()
    granted = [
        await Broker.add_subscription(engine, (name, 0), session)
        for name in ("site/+/state", "#", "link/x")
    ]
    assert granted == [0, 0x80, 0x80]
    for topic, action, allowed in (
        ("site/a/state", Action.RECEIVE, True),
        ("site/a/secret", Action.RECEIVE, False),
        ("site/a/state", Action.PUBLISH, False),
    ):
        assert await engine._topic_filtering(session, topic, action) is allowed
    assert not await engine._topic_filtering(Session(), "site/a/state", Action.RECEIVE)


async def test_a_ticket_lets_in_once(lane: Open) -> None:
    """Without the gate, and without the ticket it writes, nobody is anybody."""
    engine = lane.lane._engine
    assert isinstance(engine, OpenBroker)
    for password in ("x", None, ""):
        session = Session()
        session.password = password
        assert not await engine._authenticate(session, engine.listeners_config["default"])
