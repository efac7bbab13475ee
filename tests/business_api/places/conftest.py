"""Asking as the admin of the park does."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.business_api.conftest import Api, Estate


@dataclass
class Admin:
    """Requests with the rights of one account."""

    api: Api
    headers: dict[str, str]

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = self.headers | more.pop("headers", {})
        return await self.api.client.request(method, f"/v1{path}", headers=headers, **more)

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.ask("POST", path, json=body)

    async def made(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.post(path, **body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def patch(self, path: str, version: int | None = 1, **body: Any) -> httpx.Response:
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        return await self.ask("PATCH", path, json=body, headers=headers)

    async def problem(self, method: str, path: str, **more: Any) -> str:
        answer = await self.ask(method, path, **more)
        return str(answer.json()["type"]).removeprefix("/problems/")


@pytest.fixture
async def admin(api: Api, park: Estate) -> Admin:
    return Admin(api, park.headers)
