"""A resident with a telephone, as the tests of this folder see one."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.business_api.conftest import Api, bearer
from tests.support.sms import code_to

PHONE, OTHER, THIRD = "+8613800138000", "+8613900139000", "+8613700137000"
PASSWORD = "purple elephant choir"


@dataclass
class Phone:
    """Somebody with a number, who calls from an address."""

    api: Api
    number: str = PHONE
    address: str = "203.0.113.10"
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.api.app, client=(self.address, 1))
        base = "http://linli.test"
        headers = self.headers | more.pop("headers", {})
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, headers=headers, **more)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.call("POST", path, json=body)

    async def ask(self, purpose: str) -> httpx.Response:
        return await self.post("/v1/auth/codes", phone=self.number, purpose=purpose)

    async def code(self, purpose: str) -> str:
        """Ask for a code, and read it."""
        answer = await self.ask(purpose)
        assert answer.status_code == 202, answer.text
        return await code_to(self.api.context, self.number)

    async def own_code(self, purpose: str) -> str:
        answer = await self.post("/v1/me/codes", purpose=purpose)
        assert answer.status_code == 202, answer.text
        return await code_to(self.api.context, self.number)

    async def register(self, name: str = "王五", password: str | None = PASSWORD) -> "Phone":
        """Register, and be signed in."""
        body = {"phone": self.number, "code": await self.code("register"), "name": name}
        if password is not None:
            body["password"] = password
        answer = await self.post("/v1/auth/register", **body)
        assert answer.status_code == 201, answer.text
        self.headers = bearer(answer.json()["access_token"])
        return self

    async def sign_in(self, password: str = PASSWORD, username: str = "") -> httpx.Response:
        body = {"username": username or self.number, "password": password}
        return await self.post("/v1/auth/login", **body)

    async def is_in(self) -> bool:
        return (await self.call("GET", "/v1/me")).status_code == 200


def code_of(answer: httpx.Response) -> str:
    """The code of a problem document."""
    return str(answer.json()["type"]).removeprefix("/problems/")
