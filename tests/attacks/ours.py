"""The whole platform with registered stations in a real database, aimed at like the plain one."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from prometheus_client import REGISTRY
from pydantic import SecretStr

from broker.service import BrokerService
from device_registry.link import Delivery, DeviceInbox, DeviceLink, Heard, SessionChange
from foundation import db
from foundation.clock import utc_now
from foundation.ids import Mac
from foundation.runner import Context, Service
from foundation.security import Keyring
from foundation.serve import available
from foundation.settings import Broker, Database, Http, Scopes, Settings
from foundation.wire.keys import DeviceKeys, password
from tests.attacks.target import STATIONS, Station
from tests.device_registry.boxes import Box, code, registered
from tests.support.running import running
from tests.support.until import until

HEARD = ("hello", "hb", "evt", "res", "lwt")

# Limits short enough to wait for. Those on how often one may come are left out of the way:
# an attack that stops at its second try by a rate has not been shown to be harmless.
BROKER = Broker(
    port=0,
    tls_port=None,
    ws_port=None,
    connect_timeout=timedelta(milliseconds=500),
    refusal_delay=timedelta(milliseconds=10),
    keepalive_min=1,
    connect_rate=1000,
    refused_rate=1000,
    flap_limit=1000,
    service_accounts={"console": SecretStr("right"), "integration": SecretStr("right")},
    service_scopes={
        "console": Scopes(subscribe=("v1/#", "site/#")),
        "integration": Scopes(publish=("#",), subscribe=("site/#",)),
    },
)
HTTP = Http(port=0, tls_port=None)


class OurTarget:
    """Every service of the platform; beside the registry this class hears what stations say."""

    vulnerable = False

    def __init__(self, context: Context, stations: Sequence[Station]) -> None:
        self.context = context
        self.victim, self.neighbour, self.thief = stations
        self.services: list[Service] = [entry.load()(context) for entry in available()]
        service = self.services[0]
        assert isinstance(service, BrokerService)
        self.service = service
        self._heard: defaultdict[str, list[bytes]] = defaultdict(list)
        self._stored: list[bytes] = []
        self._live: defaultdict[str, set[int]] = defaultdict(set)
        self._works = asyncio.Event()
        self._works.set()

    @property
    def port(self) -> int:
        """MQTT over TCP."""
        return self.service.port

    def listen(self) -> None:
        """Hear everything, before the broker starts."""
        inbox = self.context.need(DeviceInbox)
        for name in HEARD:
            inbox.hear(name, self._hear)
        inbox.watch(self._watch)

    async def command(self, station: Station, payload: bytes) -> Delivery:
        """Send it, if there is a session."""
        link = self.context.need(DeviceLink)
        return await link.send(Mac(station.mac), station.command, payload, qos=0)

    def ingested(self, station: Station) -> list[bytes]:
        """What handlers were given in its name."""
        return self._heard[station.mac]

    def online(self, station: Station) -> bool:
        """By beginnings and ends of sessions, as presence is."""
        return bool(self._live[station.mac])

    def sessions(self) -> int:
        """All that is kept for connections."""
        names = ("broker_sessions", "broker_pending_connects", "open_lane_connections")
        return sum(int(REGISTRY.get_sample_value(name) or 0) for name in names)

    def pause(self) -> None:
        """The database hangs."""
        self._works.clear()

    def resume(self) -> None:
        """It works again."""
        self._works.set()

    def stored(self) -> list[bytes]:
        """What was committed."""
        return self._stored

    async def lose_accounts(self) -> None:
        """The table of stations is away, and the broker was told to look at it."""
        await db.connection().execute_script("ALTER TABLE registry_device RENAME TO away")
        self.context.wake.kick("logins")
        await until(self.service.trouble)

    async def find_accounts(self) -> None:
        """It is back, and the broker has found it."""
        await db.connection().execute_script("ALTER TABLE away RENAME TO registry_device")

        async def well() -> bool:
            return await self.service.trouble() is None

        await until(well)

    async def _hear(self, batch: Sequence[Heard]) -> None:
        for heard in batch:
            self._heard[heard.mac].append(heard.payload)
        await self._works.wait()
        self._stored.extend(heard.payload for heard in batch)

    async def _watch(self, changes: Sequence[SessionChange]) -> None:
        for change in changes:
            live = self._live[change.mac]
            (live.add if change.up else live.discard)(change.epoch)


@asynccontextmanager
async def our_target(folder: Path, broker: Broker = BROKER) -> AsyncIterator[OurTarget]:
    """Three stations registered through REG/1, and everything running on free ports."""
    database = Database(url=SecretStr(f"sqlite://{folder}/linli.sqlite3"))
    settings = Settings(data_dir=folder, database=database, broker=broker, http=HTTP)
    context = Context(settings, Keyring(os.urandom(32)))
    async with db.opened(database) as tables:
        await tables.generate_schemas()
        target = OurTarget(context, [await _station(context, mac) for mac in STATIONS])
        target.listen()
        async with running(*target.services):
            yield target
            target.resume()


async def _station(context: Context, mac: str) -> Station:
    box, comm_code = Box(context, mac), await code()
    await registered(box, comm_code=comm_code)
    _, secret = await box.secret()
    keys = DeviceKeys.of(secret)

    def fresh() -> str:
        return password(keys, Mac(mac), comm_code, int(utc_now().timestamp()))

    return Station(mac, comm_code, fresh)
