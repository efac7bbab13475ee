"""The API over a real database and a real context, spoken to without a socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from tortoise.context import TortoiseContext

from business_api import background
from business_api.accounts.models import Account, RoleGrant
from business_api.app import create_app
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.places.models import Building, House, Unit
from business_api.residents.models import ResidentType
from business_api.tenancy import place
from foundation.clock import utc_now
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Auth, Database, Settings
from tests.support import tenants
from tests.support.tenants import PASSWORD


@dataclass
class Time:
    """A clock that a test moves."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass
class Api:
    """An application, and signed-in clients for it."""

    app: FastAPI
    context: Context
    time: Time
    client: httpx.AsyncClient

    async def account(
        self, username: str, role: Role | None = None, site: Site | None = None
    ) -> Account:
        """Staff whose password is `PASSWORD`, with a role at `site`, if any."""
        account = await tenants.account(username, self.time())
        if role is not None:
            await self.grant(account, role, site or Site())
        return account

    async def grant(self, account: Account, role: Role, site: Site) -> RoleGrant:
        """Give a role at the narrowest level of `site` at which it can be held."""
        return await tenants.give(account, role, site, self.time())

    async def resident(
        self, username: str, house: House, type_: ResidentType = ResidentType.OWNER
    ) -> Account:
        """Somebody who lives in `house`, may open the doors on the way, and signs in."""
        account = await Account.get_or_none(username=username) or await self.account(username)
        await tenants.settle(account, house, type_, self.time())
        return account

    async def sign_in(self, username: str, password: str = PASSWORD) -> httpx.Response:
        body = {"username": username, "password": password}
        return await self.client.post("/v1/auth/login", json=body)

    async def tokens(self, username: str) -> dict[str, Any]:
        answer = await self.sign_in(username)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def headers(self, username: str) -> dict[str, str]:
        return bearer((await self.tokens(username))["access_token"])

    @asynccontextmanager
    async def background(self) -> AsyncIterator[None]:
        """Jobs and deliveries are done while the block runs."""
        stop = asyncio.Event()
        working = asyncio.create_task(background.run(self.context, stop))
        try:
            yield
        finally:
            stop.set()
            await working

    @contextmanager
    def settings(self, **auth: Any) -> Iterator[None]:
        """Other `auth` settings while the block runs."""
        before = self.context.settings
        changed = Auth(**(before.auth.model_dump() | auth))
        self.context.settings = before.model_copy(update={"auth": changed})
        try:
            yield
        finally:
            self.context.settings = before


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def api(rows: TortoiseContext, database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    time = Time()
    settings = Settings(database=database, data_dir=tmp_path)
    context = Context(settings, Keyring(bytes(range(32))), clock=time)
    app = create_app(context)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://linli.test") as client:
        yield Api(app, context, time, client)


@dataclass
class Estate:
    """One community: a building with a unit, one without, and a house in each."""

    company: PropertyCompany
    community: Community
    tower: Building
    unit: Unit
    flat: House
    villa: Building
    home: House
    admin: Account
    headers: dict[str, str]

    @property
    def id(self) -> UUID:
        return self.community.id

    @property
    def site(self) -> Site:
        return self.community.site


async def estate(api: Api, name: str, admin: str, company: str = "物业甲") -> Estate:
    """A community of `company`, which is made when there is none; its admin is signed in."""
    now = api.time()
    operator = await Operator.first() or await Operator.create(name="运营", created_at=now)
    owner, _ = await PropertyCompany.get_or_create(
        {"created_at": now}, operator_id=operator.id, name=company
    )
    community = await Community.create(
        operator_id=operator.id, company_id=owner.id, name=name, created_at=now
    )
    where = place(community.site)
    tower = await Building.create(code="01", name="1号楼", has_units=True, **where)
    unit = await Unit.create(building=tower, code="1", **where)
    villa = await Building.create(code="02", name="2号楼", has_units=False, **where)
    flat = await House.create(building=tower, unit=unit, code="0101", **where)
    home = await House.create(building=villa, unit=None, code="0101", **where)
    account = await api.account(admin, Role.COMMUNITY_ADMIN, community.site)
    headers = await api.headers(admin)
    return Estate(owner, community, tower, unit, flat, villa, home, account, headers)


@pytest.fixture
async def park(api: Api) -> Estate:
    return await estate(api, "柏树园", "admin")


@pytest.fixture
async def sibling(api: Api, park: Estate) -> Estate:
    """Another community of the same company."""
    return await estate(api, "松树园", "sibling-admin")


@pytest.fixture
async def elsewhere(api: Api) -> Estate:
    """A community of another company."""
    return await estate(api, "别处", "other-admin", "物业乙")
