"""gmqtt against a real broker: what goes wrong there, and what we make of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from device_emulator.connection import Link
from device_emulator.effects import Connect, Publish
from device_emulator.faults import FaultyLink
from device_emulator.inputs import (
    Acked,
    Connected,
    Disconnected,
    Input,
    Received,
    Refused,
)
from foundation.certificates import local_authority
from foundation.wire.enroll import MqttAddress
from tests.device_emulator.peers import mosquitto
from tests.support.until import until

pytestmark = pytest.mark.peers

MAC = "02a1b2c30001"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as port:
        yield port


def _asked(port: int, **facts: object) -> Connect:
    address = MqttAddress(host="127.0.0.1", port=port, tls=False)
    asked = {
        "address": address,
        "client_id": MAC,
        "username": "c0001",
        "password": "once",
        "keepalive": 30,
        "will_topic": f"v1/{MAC}/up/s/lwt",
        "will": b'{"sess":"1"}',
        "subscriptions": ((f"v1/{MAC}/dn/s/#", 1), (f"v1/{MAC}/dn/c/#", 0)),
    }
    return Connect(**(asked | facts))  # type: ignore[arg-type]


class Station:
    """What is left of a station when only its line is looked at."""

    def __init__(self) -> None:
        self.told: list[Input] = []
        self.link = Link(self.told.append, asyncio.Semaphore(10))

    @asynccontextmanager
    async def on(self, asked: Connect) -> AsyncIterator[asyncio.Task[None]]:
        line = asyncio.create_task(self.link.open(asked))
        try:
            yield line
        finally:
            self.link.abort()
            await asyncio.wait([line], timeout=5)

    async def connected(self) -> None:
        await until(lambda: Connected() in self.told)


@asynccontextmanager
async def _platform(port: int) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client("127.0.0.1", port, identifier="platform") as client:
        yield client


async def test_out_in_and_acknowledged(port: int) -> None:
    station = Station()
    async with _platform(port) as platform, station.on(_asked(port)):
        await platform.subscribe(f"v1/{MAC}/up/#", qos=1)
        await station.connected()
        station.link.publish(Publish(f"v1/{MAC}/up/s/hello", b"hello", 1, "hello"))
        station.link.publish(Publish(f"v1/{MAC}/up/s/hb", b"hb", 0))
        heard = [await anext(platform.messages) for _ in range(2)]
        assert {str(it.topic): it.payload for it in heard} == {
            f"v1/{MAC}/up/s/hello": b"hello",
            f"v1/{MAC}/up/s/hb": b"hb",
        }
        await until(lambda: Acked("hello") in station.told)
        await platform.publish(f"v1/{MAC}/dn/c/cmd", b"open", qos=0)
        await platform.publish(f"v1/{MAC}/dn/s/evtack", b"ack", qos=1)
        await until(lambda: sum(isinstance(it, Received) for it in station.told) == 2)
        assert Received(f"v1/{MAC}/dn/c/cmd", b"open") in station.told


async def test_a_polite_end_leaves_no_will_and_a_pulled_plug_does(port: int) -> None:
    async with _platform(port) as platform:
        await platform.subscribe(f"v1/{MAC}/up/s/lwt", qos=1)
        polite, rude = Station(), Station()
        async with polite.on(_asked(port, will=b"polite")) as line:
            await polite.connected()
            await polite.link.close()
            await line
        assert polite.told[-1] == Disconnected("lost")
        async with rude.on(_asked(port, will=b"rude")) as line:
            await rude.connected()
            rude.link.abort()
            await line
        will = await anext(platform.messages)
        assert (will.payload, will.retain) == (b"rude", False)


async def test_a_clean_session_hears_nothing_from_before(port: int) -> None:
    station = Station()
    async with station.on(_asked(port)):
        await station.connected()
    async with _platform(port) as platform:
        await platform.publish(f"v1/{MAC}/dn/s/acl", b"old", qos=1)
        station.told.clear()
        async with station.on(_asked(port)):
            await station.connected()
            await platform.publish(f"v1/{MAC}/dn/s/acl", b"new", qos=1)
            await until(lambda: any(isinstance(it, Received) for it in station.told))
    assert [it.payload for it in station.told if isinstance(it, Received)] == [b"new"]


async def test_a_retained_message_is_said_to_be_one(port: int) -> None:
    async with _platform(port) as platform:
        await platform.publish(f"v1/{MAC}/dn/c/cmd", b"kept", qos=1, retain=True)
        station = Station()
        async with station.on(_asked(port)):
            await until(lambda: any(isinstance(it, Received) for it in station.told))
        assert Received(f"v1/{MAC}/dn/c/cmd", b"kept", retain=True) in station.told
        await platform.publish(f"v1/{MAC}/dn/c/cmd", b"", retain=True)


async def test_refused(tmp_path: Path) -> None:
    (tmp_path / "none").touch(mode=0o600)
    with mosquitto(tmp_path, "allow_anonymous false", f"password_file {tmp_path}/none") as port:
        station = Station()
        await asyncio.wait_for(station.link.open(_asked(port)), 10)
        assert station.told == [Refused(5)]


async def test_nobody_there_and_somebody_who_says_nothing(port: int) -> None:
    station = Station()
    await asyncio.wait_for(station.link.open(_asked(1)), 10)
    assert station.told == [Disconnected("ConnectionRefusedError")]
    async with FaultyLink("127.0.0.1", port) as proxy:
        proxy.refuse = True
        station = Station()
        await asyncio.wait_for(station.link.open(_asked(proxy.port)), 10)
        assert [type(it) for it in station.told] == [Disconnected]


async def test_every_end_is_told_once(port: int) -> None:
    async with FaultyLink("127.0.0.1", port) as proxy:
        station = Station()
        for _ in range(3):
            station.told.clear()
            line = asyncio.create_task(station.link.open(_asked(proxy.port)))
            await station.connected()
            proxy.cut()
            await asyncio.wait_for(line, 10)
            assert station.told == [Connected(), Disconnected("lost")]
            # Said into a line that is cut: lost, and no trouble.
            station.link.publish(Publish(f"v1/{MAC}/up/s/res", b"late", 1, "res"))


async def test_ended_while_it_is_being_made(port: int) -> None:
    async with FaultyLink("127.0.0.1", port) as proxy:
        proxy.freeze()
        station = Station()
        line = asyncio.create_task(station.link.open(_asked(proxy.port)))
        await until(lambda: proxy.connections == 1)
        station.link.abort()
        await asyncio.wait_for(line, 10)
        assert station.told == [Disconnected("closed")]


async def test_taken_over(port: int) -> None:
    """The broker ends the first of two with one name; the first does not fight back."""
    first, second = Station(), Station()
    async with first.on(_asked(port)) as line, second.on(_asked(port)):
        await first.connected()
        await second.connected()
        await asyncio.wait_for(line, 10)
    assert first.told == [Connected(), Disconnected("lost")]


async def test_tls_believes_the_pinned_authority_and_nobody_else(tmp_path: Path) -> None:
    ours = local_authority(tmp_path / "ours", ["127.0.0.1"])
    theirs = local_authority(tmp_path / "theirs", ["127.0.0.1"])
    lines = [f"certfile {ours.certificate}", f"keyfile {ours.key}"]
    with mosquitto(tmp_path, *lines) as port:
        told = {}
        for name, authority in (("ours", ours), ("theirs", theirs)):
            pem = authority.ca.read_text()
            address = MqttAddress(host="127.0.0.1", port=port, tls=True, ca_pem=pem)
            station = Station()
            async with station.on(_asked(port, address=address)):
                await until(lambda station=station: station.told)
            told[name] = station.told[0]
    assert told == {"ours": Connected(), "theirs": Disconnected("SSLCertVerificationError")}


async def test_a_subscription_refused_is_no_connection() -> None:
    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while packet := await reader.read(4096):
            if packet[0] >> 4 == 1:
                writer.write(b"\x20\x02\x00\x00")  # CONNACK 0
            else:
                writer.write(b"\x90\x04" + packet[2:4] + b"\x01\x80")  # the second: no
        writer.close()

    async with await asyncio.start_server(broker, "127.0.0.1", 0) as server:
        station = Station()
        port = server.sockets[0].getsockname()[1]
        await asyncio.wait_for(station.link.open(_asked(port)), 10)
        assert station.told == [Connected(), Disconnected("lost")]
