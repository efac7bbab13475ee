"""The broker as a service: gate, device lane and open lane, in this process."""

import asyncio
import resource
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

import structlog

from broker.accounts import Accounts
from broker.authority import Device
from broker.embedded import EmbeddedLink
from broker.gate import Gate, Judges
from broker.ingest import Inbox
from broker.lane import Lane
from broker.listeners import Listeners
from broker.logins import Logins
from broker.presence import Comings
from broker.server import open_lane
from device_registry.devices import logins as registry
from device_registry.devices.presence import all_gone
from device_registry.link import DeviceInbox, DeviceLink
from foundation import db
from foundation.ids import Mac
from foundation.runner import Context
from foundation.wake import first_of

log = structlog.get_logger()

_RETRY: Final = timedelta(seconds=1)
"""How soon to ask again for the logins when the database did not answer."""


def build(context: Context) -> "BrokerService":
    """Make the broker and offer its two ports."""
    service = BrokerService(context)
    context.provide(DeviceLink, service.link)
    context.provide(DeviceInbox, service.inbox)
    context.health.add(service.name, service.trouble)
    return service


class BrokerService:
    """Starts with its ports bound; lets clients in once every service has started."""

    name = "broker"

    def __init__(self, context: Context) -> None:
        settings = context.settings
        self._context = context
        self._comings = Comings()
        self._logins = Logins(settings.broker)
        self._accounts = Accounts(settings.broker, context.keyring, context.clock)
        self.inbox = Inbox(settings.broker, self._comings)
        self.lane = Lane(
            settings,
            context.clock,
            self.inbox.queues,
            self._comings,
            ended=self._ended,
            cloned=self._cloned,
        )
        self.link = EmbeddedLink(self.lane)
        self._open_lane = open_lane(context, self.lane)
        judges = Judges(self._logins, self._accounts, self._secret_used)
        self._gate = Gate(settings.broker, context.clock, judges, self.lane, self._open_lane)
        self._listeners = Listeners(settings, self._gate)
        self._chores: asyncio.TaskGroup | None = None

    @property
    def port(self) -> int:
        """Where MQTT over TCP listens."""
        return self._listeners.port("port")

    @property
    def tls_port(self) -> int:
        """Where MQTT over TLS listens; 0: nowhere."""
        return self._listeners.port("tls_port")

    @property
    def ws_port(self) -> int:
        """Where MQTT over WebSocket listens; 0: nowhere."""
        return self._listeners.port("ws_port")

    async def trouble(self) -> str | None:
        """For `/readyz`."""
        if not self._listeners.listening:
            return "not listening"
        return None if self._logins.available else "who may log in cannot be read"

    async def start(self) -> None:
        """Take the ports; forget sessions of an earlier process; learn who may log in.

        Raises:
            CannotListen: a port is taken.
        """
        _allow_many_sockets()
        self._listeners.bind()
        await all_gone("restart", self._context.clock())
        await self._read_logins()
        await self._open_lane.start()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`. Then: let nobody in, store what was taken, end every session."""
        drained, told, over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as self._chores:
            spawn = self._chores.create_task
            gate = spawn(self._gate.run(stop), name="gate")
            ingest = spawn(self.inbox.run(drained), name="ingest")
            telling = spawn(self._comings.run(told), name="comings")
            spawn(self._keep_logins(over), name="logins")
            spawn(self.lane.sweep(over), name="sweep")
            await self._listeners.open()
            await stop.wait()
            self._listeners.close()
            self.lane.stop_reading()
            drained.set()
            await asyncio.wait([gate, ingest])
            self.lane.close()
            told.set()
            await asyncio.wait([telling])
            over.set()

    async def close(self) -> None:
        """Give back ports and threads."""
        self._listeners.close()
        await self._listeners.closed()
        self._accounts.close()

    async def _keep_logins(self, stop: asyncio.Event) -> None:
        """Who is not among them any more is out at once."""
        with self._context.wake.listen("logins") as news:
            while not stop.is_set():
                news.clear()
                await self._read_logins()
                poll = self._context.settings.broker.logins_poll
                await first_of(news, stop, within=poll if self._logins.available else _RETRY)

    async def _read_logins(self) -> None:
        try:
            rows = await registry.logins(self._context.keyring, self._context.clock())
        except db.UNREACHABLE as error:
            if self._logins.available:
                log.warning("broker.logins.lost", error=str(error))
            self._logins.available = False
            return
        if not self._logins.available:
            log.info("broker.logins.read", stations=len(rows))
        self._logins.replace(rows)
        self.lane.kick_unless(self._logins.stands)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._chores is None:
            raise RuntimeError("the broker does not run")
        self._chores.create_task(work)

    def _ended(self, mac: Mac) -> None:
        if self._logins.ended(mac, self._context.clock()):
            log.warning("session.flaps.banned", mac=mac)

    def _cloned(self, mac: Mac) -> None:
        self._spawn(registry.quarantine(self._context, mac, "taken over too often"))

    def _secret_used(self, device: Device) -> None:
        self._spawn(self._end_old_secret(device))

    async def _end_old_secret(self, device: Device) -> None:
        if await registry.secret_used(device.mac, device.secret_ver):
            self._context.wake.kick("logins")


def _allow_many_sockets() -> None:
    """Raise the limit of open files as far as we may: one socket a station."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
