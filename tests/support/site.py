"""A whole site in one process: every service on real sockets, and people who use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from business_api.accounts import sessions
from business_api.accounts.models import Account
from business_api.authz.roles import Role
from business_api.authz.scope import Site as Where
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.places.models import Building, House, Unit
from business_api.residents.models import ResidentType
from business_api.tenancy import place
from device_emulator.emulated import Emulated
from device_emulator.fleet import Fleet, Plan
from foundation import db, runner
from foundation.runner import Context, Service
from foundation.security import load_keyring
from foundation.serve import available
from foundation.settings import Auth, Broker, Database, Devices, Http, Settings
from foundation.settings_outside import Sms
from tests.support import tenants
from tests.support.postgres import free_port
from tests.support.tenants import PASSWORD
from tests.support.until import until


@dataclass(slots=True)
class Site:
    """What a test may reach: 柏树园, its building 01, unit 1 and house 0101, and its staff.

    `admin` is the community admin, `operator` the admin of the operator.
    """

    context: Context
    operator: Operator
    company: PropertyCompany
    community: Community
    building: Building
    unit: Unit
    house: House
    stack: AsyncExitStack
    _clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Of the API, plain HTTP."""
        return f"http://127.0.0.1:{self.context.settings.http.port}"

    @property
    def device_url(self) -> str:
        """Of the API as stations reach it, HTTPS."""
        return f"https://127.0.0.1:{self.context.settings.http.tls_port}"

    @property
    def ca(self) -> Path:
        """The certificate authority of this site."""
        return self.context.settings.data_dir / "tls" / "ca.pem"

    async def account(self, username: str) -> Account:
        """The account of somebody who can sign in with `PASSWORD`, made if there is none."""
        found = await Account.get_or_none(username=username)
        return found or await tenants.account(username, self.context.clock())

    async def role(self, username: str, role: Role, where: Where) -> httpx.AsyncClient:
        """Give somebody a role at `where`; signed in."""
        await tenants.give(await self.account(username), role, where, self.context.clock())
        self.context.wake.kick(sessions.TOPIC)
        return await self.signed_in(username)

    async def resident(
        self, username: str, house: House, type_: ResidentType = ResidentType.OWNER
    ) -> httpx.AsyncClient:
        """Somebody who lives in `house` and may open the doors on the way; signed in."""
        await tenants.settle(await self.account(username), house, type_, self.context.clock())
        self.context.wake.kick(sessions.TOPIC)
        return await self.signed_in(username)

    async def signed_in(self, username: str) -> httpx.AsyncClient:
        """An HTTP client of this person; one session each."""
        if username not in self._clients:
            client = await self.stack.enter_async_context(
                httpx.AsyncClient(base_url=f"{self.url}/v1", timeout=30)
            )
            body = {"username": username, "password": PASSWORD}
            answer = await client.post("/auth/login", json=body)
            assert answer.status_code == 200, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            self._clients[username] = client
        return self._clients[username]

    async def free_codes(self, count: int) -> list[str]:
        """New communication codes of the pool."""
        operator = await self.signed_in("operator")
        answer = await operator.post("/communication-codes", json={"count": count, "batch": "test"})
        assert answer.status_code == 201, answer.text
        codes: list[str] = answer.json()["codes"]
        return codes

    async def register(self, box: Emulated, name: str, **place: Any) -> str:
        """Register a waiting box by the code on its screen; its id. A gate, unless told."""
        admin = await self.signed_in("admin")
        code = await until(lambda: box.state()["user_code"], 20)
        (comm_code,) = await self.free_codes(1)
        form = {
            "name": name,
            "mac": box.mac,
            "comm_code": comm_code,
            "user_code": code,
            "position": "gate",
            **place,
        }
        answer = await admin.post(f"/communities/{self.community.id}/stations", json=form)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    @asynccontextmanager
    async def fleet(self, count: int, **plan: Any) -> AsyncIterator[Fleet]:
        """Emulated boxes that nobody has registered, running until the block ends."""
        wanted = Plan(url=self.device_url, ca=self.ca, count=count, **plan)
        async with Fleet(wanted).running() as fleet:
            await until(lambda: all(box.powered for box in fleet.stations.values()))
            yield fleet


def settings(data_dir: Path, database: Database, **groups: Any) -> Settings:
    """Settings of a site on free ports; `groups` replace whole groups."""
    chosen = {
        "http": Http(port=free_port(), tls_port=free_port()),
        "broker": Broker(port=free_port(), tls_port=free_port(), ws_port=free_port()),
        "devices": Devices(opens_per_person=1000, opens_per_door=1000, poll=timedelta(seconds=1)),
        "sms": Sms(developer_page=True),
        "auth": Auth(requests_per_minute=100_000),  # tests ask again and again
    } | groups
    return Settings(data_dir=data_dir, database=database, **chosen)


@asynccontextmanager
async def running(chosen: Settings) -> AsyncIterator[Site]:
    """Serve everything until the block ends, then stop as SIGTERM would."""
    context = Context(chosen, load_keyring(chosen.data_dir, None))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(db.opened(chosen.database))
        services: list[Service] = [entry.load()(context) for entry in available()]
        stop, started = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(runner.serve(services, stop=stop, started=started))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()
        site = await _founded(context, stack)
        try:
            yield site
        finally:
            for client in site._clients.values():
                await client.aclose()
            stop.set()
            await serving


async def _founded(context: Context, stack: AsyncExitStack) -> Site:
    """The community, with everything above it and one house in it."""
    now = context.clock()
    operator = await Operator.create(name="邻里运营", created_at=now)
    company = await PropertyCompany.create(operator_id=operator.id, name="松柏物业", created_at=now)
    community = await Community.create(
        operator_id=operator.id, company_id=company.id, name="柏树园", created_at=now
    )
    where = place(community.site)
    building = await Building.create(code="01", name="1号楼", has_units=True, **where)
    unit = await Unit.create(building=building, code="1", **where)
    house = await House.create(building=building, unit=unit, code="0101", **where)
    for username, role, site in (
        ("operator", Role.OPERATOR_ADMIN, operator.site),
        ("admin", Role.COMMUNITY_ADMIN, community.site),
    ):
        await tenants.give(await tenants.account(username, now), role, site, now)
    return Site(context, operator, company, community, building, unit, house, stack)
