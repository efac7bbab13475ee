"""Ordinary MQTT clients as service accounts of a running broker, over TCP, TLS and WebSocket."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attacks.ours import BROKER, OurTarget, our_target
from tests.attacks.raw import publish, wires
from tests.peers.mosquitto import Mosquitto
from tests.peers.mqtt_peer import REFUSED, Account, Door, Got, Peer
from tests.peers.paho_clients import Aiomqtt, Paho
from tests.support.until import until

CONSOLE = Account("console", "right")
INTEGRATION = Account("integration", "right")

PAIRS = [
    ("mosquitto", "tcp"),
    ("mosquitto", "tls"),
    ("paho", "tcp"),
    ("paho", "tls"),
    ("paho", "ws"),
    ("aiomqtt", "tcp"),
    ("aiomqtt", "tls"),
    ("aiomqtt", "ws"),
]
PEERS: dict[str, Peer] = {"mosquitto": Mosquitto(), "paho": Paho(), "aiomqtt": Aiomqtt()}

pytestmark = [
    pytest.mark.peers,
    pytest.mark.parametrize(("peer", "transport"), PAIRS),
    pytest.mark.skipif(
        shutil.which("mosquitto_sub") is None, reason="run `make peers`: mosquitto-clients"
    ),
]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[OurTarget]:
    """A broker on all three listeners."""
    broker = BROKER.model_copy(update={"tls_port": 0, "ws_port": 0})
    async with our_target(tmp_path, broker) as ours:
        yield ours


@pytest.fixture
def who(peer: str) -> Peer:
    """The client."""
    return PEERS[peer]


@pytest.fixture
def door(site: OurTarget, transport: str) -> Door:
    """The listener."""
    service, data = site.service, site.context.settings.data_dir
    if transport == "tls":
        return Door("tls", service.tls_port, data / "tls" / "ca.pem")
    return Door("ws", service.ws_port, None) if transport == "ws" else Door("tcp", site.port, None)


@pytest.mark.parametrize("qos", [0, 1])
async def test_messages_in_scope_arrive(who: Peer, door: Door, qos: int) -> None:
    async with who.hear(door, CONSOLE, "site/+/state", qos) as ear:
        assert ear.codes == [qos]
        said = [Got("site/lift/state", b"m%d" % n, qos, False) for n in range(5)]
        await who.publish(door, INTEGRATION, [Got("site/lift/other", b"x", qos, False), *said])
        await until(lambda: len(ear.got) == 5)
        assert ear.got == said


async def test_retained_messages_come_to_who_asks_later(who: Peer, door: Door) -> None:
    kept = Got("site/lift/state", b"stuck", 1, True)
    await who.publish(door, INTEGRATION, [kept, Got("site/secret", b"x", 1, True)])
    async with who.hear(door, CONSOLE, "site/+/state", 1) as ear:
        await until(lambda: ear.got)
        assert ear.got == [kept]
    await who.publish(door, INTEGRATION, [Got("site/lift/state", b"", 1, True)])
    async with who.hear(door, CONSOLE, "site/+/state", 1) as ear:
        await who.publish(door, INTEGRATION, [Got("site/lift/state", b"moves", 1, False)])
        await until(lambda: ear.got)
        assert ear.got == [Got("site/lift/state", b"moves", 1, False)]


async def test_a_will_is_published(who: Peer, door: Door) -> None:
    async with who.hear(door, CONSOLE, "site/#", 1) as ear:
        async with who.doomed(door, INTEGRATION, Got("site/lift/state", b"gone", 1, False)):
            assert ear.got == []
        await until(lambda: ear.got)
        assert ear.got == [Got("site/lift/state", b"gone", 1, False)]


async def test_what_is_out_of_scope_is_refused(who: Peer, door: Door, site: OurTarget) -> None:
    for account, name in ((CONSOLE, "#"), (CONSOLE, "link/#"), (INTEGRATION, "v1/+/up/#")):
        async with who.hear(door, account, name, 1) as ear:
            assert ear.codes == [REFUSED]
    async with who.hear(door, CONSOLE, "v1/#", 0) as ear, wires(site.port) as dial:
        station = await site.victim.online(await dial())
        forbidden = [Got(site.victim.command, b"open!", 1, False)]
        with pytest.raises(Exception):  # noqa: B017, PT011 - each says it in its way
            await who.publish(door, INTEGRATION, forbidden, within=1)
        assert await station.alive()
        assert station.heard == []
        assert ear.got == []


async def test_stations_are_heard_by_who_may(who: Peer, door: Door, site: OurTarget) -> None:
    async with who.hear(door, CONSOLE, "v1/+/up/s/hb", 0) as ear, wires(site.port) as dial:
        station = await site.victim.online(await dial())
        await station.send(publish(site.victim.up("evt"), b"unasked"))
        await station.send(publish(site.victim.up("hb"), b"beat"))
        await until(lambda: ear.got)
        assert ear.got == [Got(site.victim.up("hb"), b"beat", 0, False)]


async def test_wrong_passwords_are_refused(who: Peer, door: Door, site: OurTarget) -> None:
    for account in (Account("console", "wrong"), Account("nobody", "right")):
        assert await who.code(door, account) in {4, 5}
    assert await who.code(door, INTEGRATION) == 0
