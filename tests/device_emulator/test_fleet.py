"""A fleet over real sockets: HTTP to enrol, mosquitto as the broker, files as flash."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from device_emulator.config import Config
from device_emulator.controls import BadControl, NoSuchStation
from device_emulator.credentials import Credential, Mode
from device_emulator.emulated import Emulated
from device_emulator.faults import Fault, Weather
from device_emulator.fleet import Fleet, Plan, wanted
from foundation.ids import Mac
from foundation.wire import topics
from foundation.wire.command import Code, Result
from foundation.wire.enroll import MqttAddress
from foundation.wire.events import Event, EventBatch
from tests.device_emulator.peers import DeviceApi, mosquitto, served
from tests.device_emulator.toy import Toy
from tests.support.until import until

pytestmark = pytest.mark.peers

QUICK = Config(t_registered=50, backoff=50, backoff_max=200, t_steady=100, rate=0, t_resend=500)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as port:
        yield port


@dataclass
class Site:
    """A fleet with all that it needs around it."""

    fleet: Fleet
    toy: Toy
    api: DeviceApi
    platform: aiomqtt.Client
    heard: list[tuple[str, bytes]]

    async def online(self) -> None:
        await until(lambda: self.fleet.online() == len(self.fleet.stations), within=20)

    async def open(self, station: Emulated, **facts: Any) -> bytes:
        state = station.state()
        facts = {"exp_up": state["up_ms"] + 5000} | facts
        payload = self.toy.command(station.mac, state["sess"], **facts)
        await self.platform.publish(topics.command(station.mac), payload, qos=0)
        return payload

    def results(self, mac: Mac) -> list[Result]:
        keys = self.toy.known[mac].keys
        found = [payload for topic, payload in self.heard if topic == topics.up(mac, "res")]
        return [Result.verify(payload, keys.up, mac) for payload in found]

    def events(self, mac: Mac) -> list[Event]:
        found = [payload for topic, payload in self.heard if topic == topics.up(mac, "evt")]
        return [event for payload in found for event in EventBatch.parse(payload).events]


@pytest.fixture
async def world(broker: int) -> AsyncIterator[tuple[Plan, Site]]:
    """Everything but the fleet."""
    toy = Toy(MqttAddress(host="127.0.0.1", port=broker, tls=False), poll=1)
    api, heard = DeviceApi(toy), []
    async with served(api) as url, aiomqtt.Client("127.0.0.1", broker) as platform:
        await platform.subscribe("v1/+/up/#", qos=1)

        async def listen() -> None:
            async for message in platform.messages:
                mac, name = str(message.topic).split("/")[1::3]
                heard.append((str(message.topic), message.payload))
                if name == "evt" and Mac(mac) in toy.known:
                    last = EventBatch.parse(message.payload).events[-1].seq
                    await platform.publish(topics.down(Mac(mac), "evtack"), toy.evtack(mac, last))

        listening = asyncio.create_task(listen())
        try:
            plan = Plan(url=url, config=QUICK, seed=7)
            yield plan, Site(Fleet(plan), toy, api, platform, heard)
        finally:
            listening.cancel()


@asynccontextmanager
async def _running(world: tuple[Plan, Site], **facts: Any) -> AsyncIterator[Site]:
    plan, site = world
    site.fleet = Fleet(replace(plan, **facts))
    async with site.fleet.running():
        yield site


@asynccontextmanager
async def _registered(world: tuple[Plan, Site], **facts: Any) -> AsyncIterator[Site]:
    async with _running(world, **facts) as site:
        for mac in site.fleet.stations:
            site.toy.register(mac)
        await site.online()
        yield site


def _first(site: Site) -> Emulated:
    return next(iter(site.fleet.stations.values()))


async def test_from_unregistered_to_an_open_door(world: tuple[Plan, Site]) -> None:
    async with _running(world, count=2) as site:
        station = _first(site)
        await until(lambda: station.state()["user_code"] == "K7QF-2M9X")
        assert station.state()["state"] == "UNREG"
        for mac in site.fleet.stations:
            site.toy.register(mac)
        await site.online()
        await site.open(station)
        result = await until(lambda: site.results(station.mac))
        assert result[0].code is Code.OK
        pulse = station.state()["pulses"][-1]
        assert (pulse["command_id"], pulse["cause"]) == (result[0].id, "cmd")
        assert pulse["up_ms"] <= pulse["not_after"]
        opened = await until(
            lambda: [it for it in site.events(station.mac) if it.type == "remote.open"]
        )
        assert opened[0].cmd_id == result[0].id
        await until(lambda: station.state()["journal"]["held"] == 0)
        assert station.state()["relays"] == {"1": True}


async def test_card_pin_and_keys(world: tuple[Plan, Site]) -> None:
    async with _registered(world) as site:
        station = _first(site)
        station.learn(Credential("card", "04A1B2C3", house="h1"))
        station.learn(Credential("pin", "4711"))
        station.card("04a1b2c3")
        assert station.state()["state"] == "DOOR_OPEN"
        station.power_cycle()
        await site.online()
        station.key("*4711*")
        assert [it["cause"] for it in station.state()["pulses"]] == ["card", "pin"]
        granted = lambda: [it for it in site.events(station.mac) if it.type == "access.granted"]  # noqa: E731
        await until(lambda: len(granted()) == 2)


async def test_power_wipe_and_roll_back(world: tuple[Plan, Site]) -> None:
    async with _registered(world) as site:
        station = _first(site)
        boot = station.state()["boot"]
        station.power_cycle()
        assert station.state()["boot"] == boot + 1
        await site.online()
        station.snapshot()
        station.learn(Credential("card", "04A1B2C3"))
        station.flash_rollback()
        await site.online()
        assert (station.state()["credentials"], station.state()["boot"]) == (0, boot + 2)
        station.wipe()
        await until(lambda: station.state()["registration"] == "mac_conflict")
        assert station.state()["boot"] == boot + 3


async def test_off_is_off(world: tuple[Plan, Site]) -> None:
    async with _registered(world) as site:
        station = _first(site)
        payload = await site.open(station, exp_up=station.state()["up_ms"] + 15_000)
        await until(lambda: site.results(station.mac))
        station.power_cycle(0.3)
        assert station.state()["state"] == "OFF"
        station.key("1")
        await site.platform.publish(topics.command(station.mac), payload, qos=0)
        await site.online()
        await site.platform.publish(topics.command(station.mac), payload, qos=0)
        await until(lambda: len(site.results(station.mac)) == 2)
        assert site.results(station.mac)[-1].code is Code.WRONG_SESS
        assert len(station.state()["pulses"]) == 1


async def test_without_a_network(world: tuple[Plan, Site]) -> None:
    async with _registered(world) as site:
        station = _first(site)
        sess = station.state()["sess"]
        station.drop_net(0.4)
        await until(lambda: not station.state()["online"])
        assert any(topic.endswith("/lwt") for topic, _ in await _lwt(site))
        await site.online()
        assert station.state()["sess"] != sess
        assert station.state()["totals"]["connects"] == 2


async def _lwt(site: Site) -> list[tuple[str, bytes]]:
    return await until(lambda: [it for it in site.heard if it[0].endswith("/lwt")])


async def test_a_clock_a_day_off_and_a_platform_that_minds(world: tuple[Plan, Site]) -> None:
    async with _registered(world) as site:
        station = _first(site)
        station.skew_clock(86_400)
        off = station.state()["clock_ms"] - site.toy.now_ms()
        assert abs(off - 86_400_000) < 5000
        station.power_cycle()  # the battery keeps the wrong time
        assert abs(station.state()["clock_ms"] - site.toy.now_ms() - 86_400_000) < 5000
        await site.online()
        await site.open(station)
        await until(lambda: site.results(station.mac))
        assert site.results(station.mac)[0].code is Code.OK


async def test_bad_weather(world: tuple[Plan, Site]) -> None:
    """Half is lost, half comes twice, all of it late: every door opens once, in time, or not."""
    async with _registered(world, count=5) as site:
        stormy = Weather(loss=0.3, duplicate=0.5, delay=(0, 0.05), late=0.2, late_by=(0.2, 0.4))
        site.fleet.weather(up=stormy, down=stormy)
        sent = 0
        for number in range(1, 21):
            for station in site.fleet.stations.values():
                state = station.state()
                if state["sess"]:
                    sent += 1
                    await site.open(station, ctr=number, exp_up=state["up_ms"] + 150)
        site.fleet.weather()
        await until(
            lambda: all(it.state()["journal"]["held"] == 0 for it in site.fleet.stations.values()),
            within=30,
        )
        opened = 0
        for station in site.fleet.stations.values():
            pulses = station.state()["pulses"]
            ids = [pulse["command_id"] for pulse in pulses]
            assert len(ids) == len(set(ids))
            assert all(pulse["up_ms"] <= pulse["not_after"] for pulse in pulses)
            journal = {it.cmd_id for it in site.events(station.mac) if it.type == "remote.open"}
            assert journal == set(ids)
            opened += len(ids)
        assert 0 < opened < sent


async def test_everything_is_there_after_a_restart(
    world: tuple[Plan, Site], tmp_path: Path
) -> None:
    path = tmp_path / "fleet.sqlite3"
    async with _registered(world, count=3, path=path) as site:
        macs = list(site.fleet.stations)
        _first(site).learn(Credential("card", "04A1B2C3"))
    async with _running(world, count=3, path=path) as site:
        await site.online()
        assert list(site.fleet.stations) == macs
        assert _first(site).state()["credentials"] == 1
        assert _first(site).state()["boot"] == 2
        assert site.fleet.totals()["connects"] == 3
    assert not [it for it in site.heard if it[0].endswith("/lwt")]  # it went home politely


async def test_a_timetable(world: tuple[Plan, Site]) -> None:
    async with _registered(world, count=2) as site:
        station = _first(site)
        await site.fleet.play(
            [
                Fault(0.0, station.mac, "tamper", {}),
                Fault(0.05, None, "mode", {"mode": "lockdown"}),
                Fault(0.1, station.mac, "fire", {"on": True}),
            ]
        )
        assert [it.state()["mode"] for it in site.fleet.stations.values()] == [
            Mode.EVAC,
            Mode.LOCKDOWN,
        ]
        assert station.state()["tampered"]
        with pytest.raises(BadControl):
            await site.fleet.play([Fault(0, None, "explode", {})])
        with pytest.raises(BadControl, match="seconds"):
            await site.fleet.play([Fault(0, None, "drop_net", {"seconds": "a while"})])
        with pytest.raises(NoSuchStation):
            await site.fleet.play([Fault(0, Mac("020000000000"), "tamper", {})])


def test_whose_macs() -> None:
    a, b = Mac("020000000001"), Mac("020000000002")
    plan = Plan(url="", count=2, seed=1)
    assert wanted(plan, [a, b]) == [a, b]
    assert wanted(replace(plan, macs=[b]), [a, b]) == [b, a]
    assert wanted(replace(plan, count=1), [a, b]) == [a]
    new = wanted(plan, [])
    assert new == wanted(plan, [])
    assert wanted(replace(plan, count=3), new)[:2] == new
    assert all(topics.is_local(mac) and topics.mac12(mac) == mac for mac in new)
    assert not set(new) & set(wanted(replace(plan, seed=2), []))


async def test_state_is_json_without_secrets(world: tuple[Plan, Site]) -> None:
    async with _registered(world) as site:
        station = _first(site)
        station.learn(Credential("pin", "73519264"))
        station.key("*7351")
        told = json.dumps(station.state(), ensure_ascii=False)
        assert "7351" not in told
        assert site.toy.known[station.mac].secret.hex() not in told
