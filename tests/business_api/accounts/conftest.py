"""The ladder of one operator: an admin on every level, beside the estates."""

from dataclasses import dataclass

import httpx
import pytest

from business_api.accounts.models import Account
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from tests.business_api.conftest import Api, Estate


@dataclass
class Staff:
    """Somebody who works here, signed in."""

    api: Api
    account: Account
    headers: dict[str, str]

    async def ask(
        self, method: str, path: str, json: object = None, **headers: str
    ) -> httpx.Response:
        return await self.api.client.request(
            method, f"/v1{path}", json=json, headers=self.headers | headers
        )

    async def get(self, path: str) -> httpx.Response:
        return await self.ask("GET", path)

    async def post(self, path: str, json: object = None, **headers: str) -> httpx.Response:
        return await self.ask("POST", path, json, **headers)


async def hire(api: Api, username: str, role: Role, site: Site | None = None) -> Staff:
    account = await api.account(username, role, site)
    return Staff(api, account, await api.headers(username))


@dataclass
class Ladder:
    """From the platform down to the community of `park`."""

    root: Staff
    operator: Staff
    company: Staff
    community: Staff


@pytest.fixture
async def ladder(api: Api, park: Estate) -> Ladder:
    return Ladder(
        await hire(api, "root", Role.SUPER_ADMIN),
        await hire(api, "operator", Role.OPERATOR_ADMIN, Site(park.site.operator_id)),
        await hire(api, "company", Role.PROPERTY_ADMIN, park.company.site),
        Staff(api, park.admin, park.headers),
    )


def cashier(park: Estate, **changes: object) -> dict[str, object]:
    """The body of a new account."""
    body = {"username": "wang", "name": "王芳", "role": "cashier", "community_id": str(park.id)}
    return body | changes


def problem(answer: httpx.Response) -> str:
    """What went wrong, by its name."""
    return str(answer.json()["type"]).removeprefix("/problems/")
