"""A community with a station at its gate and one at a building, and somebody who lives there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest

from device_registry import service
from device_registry.link import DeviceInbox, DeviceLink
from foundation.settings import Broker, Devices
from tests.business_api.conftest import PASSWORD, Api, Estate
from tests.business_api.devices.air import Air, Station

_codes = count(80_000_000)


@dataclass
class Doors:
    """What a test of doors may reach."""

    api: Api
    air: Air
    estate: Estate
    lin: dict[str, str]
    """Headers of a resident of the flat: gate, building 1 and its unit."""
    lin_id: UUID
    stations: list[Station] = field(default_factory=list)

    @property
    def staff(self) -> dict[str, str]:
        return self.estate.headers

    async def get(self, url: str, headers: dict[str, str], **query: Any) -> httpx.Response:
        return await self.api.client.get(f"/v1{url}", params=query, headers=headers)

    async def post(self, url: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
        return await self.api.client.post(f"/v1{url}", json=body, headers=headers)

    async def code(self) -> str:
        code = str(next(_codes))
        answer = await self.post(
            "/communication-codes/import", self.staff, {"codes": [code], "batch": "t"}
        )
        assert answer.json()["added"] == 1
        return code

    async def register(
        self, box: Station, estate: Estate | None = None, **changes: Any
    ) -> httpx.Response:
        """Register `box` at the gate, by the code on its screen."""
        estate = estate or self.estate
        answer = await box.enroll()
        body = {
            "name": "东门",
            "position": "gate",
            "mac": box.mac,
            "comm_code": await self.code(),
            "user_code": answer.user_code,
        }
        return await self.post("/stations", estate.headers, body | changes)

    async def station(
        self, name: str = "东门", estate: Estate | None = None, *, here: bool = True, **where: Any
    ) -> tuple[str, Station]:
        """A registered station, connected if `here`; its id, and it."""
        box = Station(self.air, self.api.client)
        made = await self.register(box, estate, name=name, **where)
        assert made.status_code == 201, made.text
        assert (await box.enroll()).status == "registered"
        if here:
            await box.arrive()
        self.stations.append(box)
        return made.json()["id"], box

    async def open(
        self, door: str, headers: dict[str, str], body: Any = None, key: str | None = None
    ) -> httpx.Response:
        if key is not None:
            headers = headers | {"Idempotency-Key": key}
        return await self.post(f"/doors/{door}/open", headers, body)

    async def resident(self, username: str, house_id: UUID) -> tuple[dict[str, str], UUID]:
        body = {"username": username, "name": username.title(), "password": PASSWORD}
        made = await self.post(f"/houses/{house_id}/residents", self.staff, body)
        assert made.status_code == 201, made.text
        return await self.api.headers(username), UUID(made.json()["account_id"])


@pytest.fixture
async def air(api: Api) -> Air:
    """The registry hears what the stations of this test say."""
    fast = Devices(
        open_deadline=timedelta(seconds=0.6),
        open_grace=timedelta(seconds=0.2),
        opens_per_person=100,
        opens_per_door=100,
    )
    api.context.settings = api.context.settings.model_copy(
        update={"devices": fast, "broker": Broker(tls_port=None)}
    )
    ports = Air()
    api.context.provide(DeviceLink, ports)
    api.context.provide(DeviceInbox, ports)
    service.build(api.context)
    return ports


@pytest.fixture
async def doors(api: Api, air: Air, park: Estate) -> AsyncIterator[Doors]:
    made = Doors(api, air, park, {}, UUID(int=0))
    made.lin, made.lin_id = await made.resident("lin", park.flat.id)
    yield made
    await air.settled()
