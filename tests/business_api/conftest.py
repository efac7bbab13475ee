"""The API over a real database and a real context, spoken to without a socket."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from tortoise.context import TortoiseContext

from business_api.accounts import passwords
from business_api.accounts.models import Account
from business_api.actors import AccountKind
from business_api.app import create_app
from business_api.places.models import Building, Community, House, Unit
from foundation.clock import utc_now
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Auth, Database, Settings

PASSWORD = "correct horse battery"

_hashes: list[str] = []
"""Of `PASSWORD`, made once: hashing is slow on purpose."""


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
        self, username: str, community: Community, kind: AccountKind = AccountKind.RESIDENT
    ) -> Account:
        """An account whose password is `PASSWORD`."""
        if not _hashes:
            _hashes.append(await passwords.hash_password(PASSWORD))
        return await Account.create(
            username=username,
            password_hash=_hashes[0],
            kind=kind,
            name=username.title(),
            community_id=community.id,
        )

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


async def estate(api: Api, name: str, admin: str) -> Estate:
    community = await Community.create(name=name)
    tower = await Building.create(community=community, code="01", name="1号楼", has_units=True)
    unit = await Unit.create(building=tower, code="1")
    villa = await Building.create(community=community, code="02", name="2号楼", has_units=False)
    flat = await House.create(community=community, building=tower, unit=unit, code="0101")
    home = await House.create(community=community, building=villa, unit=None, code="0101")
    account = await api.account(admin, community, AccountKind.COMMUNITY_ADMIN)
    headers = await api.headers(admin)
    return Estate(community, tower, unit, flat, villa, home, account, headers)


@pytest.fixture
async def park(api: Api) -> Estate:
    return await estate(api, "柏树园", "admin")


@pytest.fixture
async def elsewhere(api: Api) -> Estate:
    return await estate(api, "别处", "other-admin")
