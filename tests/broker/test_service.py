"""The broker as a service, with the real table of logins, on SQLite and PostgreSQL."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tortoise.context import TortoiseContext

from broker.listeners import CannotListen
from broker.service import BrokerService, build
from device_registry.devices import lifecycle
from device_registry.devices.models import Device, DeviceSession
from device_registry.devices.states import Status
from device_registry.link import Delivery, DeviceInbox, DeviceLink, Heard, SessionChange
from foundation import db
from foundation.clock import utc_now
from foundation.ids import Mac
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Broker, Settings
from foundation.wire import topics
from foundation.wire.keys import DeviceKeys, password
from tests.attacks.raw import PUBACK, Wire, publish
from tests.device_registry.boxes import Box, code, registered
from tests.support.running import running
from tests.support.until import until

pytestmark = pytest.mark.usefixtures("rows")

ADMIN = "account/test"


@dataclass
class Station:
    """A box that enrolled, and logs in with its own secret."""

    context: Context
    box: Box
    comm_code: str
    secrets: dict[int, bytes] = field(default_factory=dict)

    @property
    def mac(self) -> Mac:
        return Mac(self.box.mac)

    async def fetch(self) -> int:
        """Enrol again; the version of the secret that came."""
        version, secret = await self.box.secret()
        self.secrets[version] = secret
        return version

    async def login(self, port: int, version: int | None = None) -> tuple[Wire, int | None]:
        keys = DeviceKeys.of(self.secrets[version or max(self.secrets)])
        now = int(self.context.clock().timestamp())
        wire = await Wire.open(port)
        given = password(keys, self.mac, self.comm_code, now)
        return wire, await wire.login(self.box.mac, self.comm_code, given)


@dataclass
class Platform:
    """The broker with whoever listens to it."""

    context: Context
    service: BrokerService
    heard: list[bytes] = field(default_factory=list)
    changes: list[SessionChange] = field(default_factory=list)

    async def station(self) -> Station:
        comm_code = await code()
        box = Box(self.context)
        await registered(box, comm_code=comm_code)
        station = Station(self.context, box, comm_code)
        await station.fetch()
        return station

    async def hear(self, batch: Sequence[Heard]) -> None:
        self.heard += [heard.payload for heard in batch]

    async def watch(self, changes: Sequence[SessionChange]) -> None:
        self.changes += changes

    def told(self, station: Station) -> list[str]:
        return [c.reason or "up" for c in self.changes if c.mac == station.mac]


Start = Callable[..., AbstractAsyncContextManager[Platform]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Runs a broker; settings by name."""

    @asynccontextmanager
    async def one(**broker: Any) -> AsyncIterator[Platform]:
        chosen = {"port": 0, "tls_port": None, "ws_port": None} | broker
        context = Context(Settings(data_dir=tmp_path, broker=Broker(**chosen)), Keyring(b"m" * 32))
        platform = Platform(context, build(context))
        context.need(DeviceInbox).hear("evt", platform.hear)
        context.need(DeviceInbox).watch(platform.watch)
        async with running(platform.service):
            yield platform

    return one


async def test_a_station_registered_while_we_run_is_let_in(start: Start) -> None:
    async with start() as platform:
        station = await platform.station()

        async def let_in() -> bool:
            return (await station.login(platform.service.port))[1] == 0

        await until(let_in)
        await until(lambda: platform.told(station)[0] == "up")


async def test_a_message_goes_from_the_socket_to_the_handler_and_back(start: Start) -> None:
    async with start() as platform:
        station = await ready(platform)
        wire, answer = await station.login(platform.service.port)
        assert answer == 0
        await wire.join(*topics.filters(station.mac))
        await wire.send(publish(topics.up(station.mac, "evt"), b"rang", qos=1))
        assert await wire.answer(PUBACK) is not None
        assert platform.heard == [b"rang"]
        link = platform.context.need(DeviceLink)
        topic = topics.command(station.mac)
        assert await link.send(station.mac, topic, b"open", qos=0) is Delivery.SENT
        await until(lambda: [m.payload for m in wire.heard] == [b"open"])


async def ready(platform: Platform) -> Station:
    """A registered station that the broker knows of."""
    station = await platform.station()
    await until(lambda: platform.service._logins._table.get(station.mac))
    return station


async def test_a_suspended_station_is_out_within_a_second(start: Start) -> None:
    async with start() as platform:
        station = await ready(platform)
        wire, _ = await station.login(platform.service.port)
        device = await Device.get(mac=station.mac)
        loop = asyncio.get_running_loop()
        await lifecycle.suspend(platform.context, ADMIN, device.id)
        began = loop.time()
        await until(lambda: wire.closed)
        assert loop.time() - began < 1
        assert (await station.login(platform.service.port))[1] == 5
        await lifecycle.resume(platform.context, ADMIN, device.id)

        async def back() -> bool:
            return (await station.login(platform.service.port))[1] == 0

        await until(back)


async def test_a_change_that_no_wake_told_is_found_by_polling(start: Start) -> None:
    async with start(logins_poll=timedelta(milliseconds=100)) as platform:
        station = await ready(platform)
        wire, _ = await station.login(platform.service.port)
        await Device.filter(mac=station.mac).update(status=Status.SUSPENDED)
        await until(lambda: wire.closed)
        await until(lambda: platform.told(station) == ["up", "kicked"])


async def test_a_rotation_ends_when_the_new_secret_was_used(start: Start) -> None:
    async with start() as platform:
        station = await ready(platform)
        old, _ = await station.login(platform.service.port)
        device = await Device.get(mac=station.mac)
        await lifecycle.rotate(platform.context, ADMIN, device.id)
        assert await station.fetch() == 2
        assert await old.alive()  # both work while it lasts

        async def new_works() -> bool:
            return (await station.login(platform.service.port, 2))[1] == 0

        await until(new_works)

        async def old_refused() -> bool:
            return (await station.login(platform.service.port, 1))[1] == 5

        await until(old_refused)


async def test_what_looks_cloned_is_quarantined(start: Start) -> None:
    async with start() as platform:
        station = await ready(platform)
        for _ in range(5):
            await station.login(platform.service.port)

        async def quarantined() -> bool:
            return (await Device.get(mac=station.mac)).status == Status.QUARANTINED

        await until(quarantined)
        await until(lambda: platform.told(station)[-1] == "kicked")

        async def out() -> bool:
            return (await station.login(platform.service.port))[1] == 5

        await until(out)


async def test_sessions_of_an_earlier_process_are_over(start: Start) -> None:
    await DeviceSession.create(mac="020000000001", epoch=2**52, online=True, since=utc_now())
    async with start():
        row = await DeviceSession.get(mac="020000000001")
        assert not row.online
        assert row.reason == "restart"


async def test_without_the_database_stations_are_asked_to_come_again(start: Start) -> None:
    async with start() as platform:
        station = await ready(platform)
        assert await platform.service.trouble() is None

        await db.connection().execute_script("ALTER TABLE registry_device RENAME TO away")
        platform.context.wake.kick("logins")
        await until(platform.service.trouble)
        assert (await station.login(platform.service.port))[1] == 3
        await db.connection().execute_script("ALTER TABLE away RENAME TO registry_device")

        async def up() -> bool:
            return await platform.service.trouble() is None

        await until(up)
        assert (await station.login(platform.service.port))[1] == 0


async def test_a_handler_that_fails_ends_the_service(start: Start) -> None:
    class Bug(Exception):
        pass

    async def fails(_: Sequence[Heard]) -> None:
        raise Bug

    async def told() -> None:
        async with start() as platform:
            platform.service.inbox.queues["evt"].handlers.append(fails)
            station = await ready(platform)
            wire, _ = await station.login(platform.service.port)
            await wire.send(publish(topics.up(station.mac, "evt"), b"x", qos=1))
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        await told()
    assert raised.group_contains(Bug)


async def test_nobody_may_begin_to_listen_when_it_is_too_late(start: Start) -> None:
    async with start() as platform:
        await until(lambda: platform.service.inbox._running)
        with pytest.raises(RuntimeError, match="hear"):
            platform.context.need(DeviceInbox).hear("late", platform.hear)


async def test_stopping_tells_the_end_of_every_session(start: Start) -> None:
    async with start() as platform:
        station = await ready(platform)
        wire, _ = await station.login(platform.service.port)
        await wire.send(publish(topics.up(station.mac, "evt"), b"last", qos=1))
    await until(lambda: wire.closed)
    assert platform.heard in ([b"last"], [])
    assert any(kind == PUBACK for kind, _ in wire.packets) is (platform.heard == [b"last"])
    assert platform.told(station) == ["up", "shutdown"]
    with pytest.raises(ConnectionRefusedError):
        await Wire.open(platform.service.port)


async def test_a_taken_port_ends_the_start_with_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ExceptionGroup) as raised:
            async with start(port=port):
                pass
    assert raised.group_contains(CannotListen, match=f"127.0.0.1:{port}.*LINLI_BROKER__PORT")


async def test_before_it_runs_it_is_not_ready(tmp_path: Path, rows: TortoiseContext) -> None:
    settings = Settings(data_dir=tmp_path, broker=Broker(port=0, tls_port=0, ws_port=0))
    service = build(Context(settings, Keyring(b"m" * 32)))
    assert service.port == 0
    await service.start()
    try:
        assert await service.trouble() == "not listening"
        assert len({service.port, service.tls_port, service.ws_port} - {0}) == 3
    finally:
        await service.close()
