"""A whole site in one process: every service on real sockets, and people who use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from business_api.accounts.models import Account
from business_api.accounts.passwords import hash_password
from business_api.actors import AccountKind
from business_api.places.models import Community
from foundation import db, runner
from foundation.runner import Context, Service
from foundation.security import load_keyring
from foundation.serve import available
from foundation.settings import Broker, Database, Devices, Http, Settings
from tests.support.postgres import free_port

PASSWORD = "correct horse battery"


@dataclass(slots=True)
class Site:
    """What a test may reach."""

    context: Context
    community: Community
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

    async def account(self, username: str, kind: AccountKind, community: UUID) -> Account:
        """A person who can sign in with `PASSWORD`."""
        return await Account.create(
            username=username,
            password_hash=await hash_password(PASSWORD),
            kind=kind,
            name=username,
            community_id=community,
        )

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


def settings(data_dir: Path, database: Database, **groups: Any) -> Settings:
    """Settings of a site on free ports; `groups` replace whole groups."""
    chosen = {
        "http": Http(port=free_port(), tls_port=free_port()),
        "broker": Broker(port=free_port(), tls_port=free_port(), ws_port=free_port()),
        "devices": Devices(),
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
        community = await Community.create(name="柏树园")
        site = Site(context, community, stack)
        await site.account("admin", AccountKind.COMMUNITY_ADMIN, community.id)
        try:
            yield site
        finally:
            for client in site._clients.values():
                await client.aclose()
            stop.set()
            await serving
