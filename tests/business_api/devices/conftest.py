"""A community with stations, somebody who lives there, and those who run it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest

from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.places.models import House
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from device_registry import service
from device_registry.link import DeviceInbox, DeviceLink
from foundation.settings import Broker, Devices
from tests.business_api.conftest import Api, Estate
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
    operator: dict[str, str]
    """Headers of the admin of the operator, who fills the pools."""
    stations: list[Station] = field(default_factory=list)

    @property
    def staff(self) -> dict[str, str]:
        return self.estate.headers

    @property
    def new(self) -> str:
        """Where a station is registered."""
        return f"/communities/{self.estate.id}/stations"

    async def get(self, url: str, headers: dict[str, str], **query: Any) -> httpx.Response:
        return await self.api.client.get(f"/v1{url}", params=query, headers=headers)

    async def post(self, url: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
        return await self.api.client.post(f"/v1{url}", json=body, headers=headers)

    async def code(self) -> str:
        code = str(next(_codes))
        answer = await self.post(
            "/communication-codes/import", self.operator, {"codes": [code], "batch": "t"}
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
        return await self.post(f"/communities/{estate.id}/stations", estate.headers, body | changes)

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

    async def resident(
        self, username: str, house: House, type_: ResidentType = ResidentType.OWNER
    ) -> tuple[dict[str, str], UUID]:
        account = await self.api.resident(username, house, type_)
        return await self.api.headers(username), account.id

    async def staff_member(self, username: str, role: Role, site: Site) -> dict[str, str]:
        await self.api.account(username, role, site)
        return await self.api.headers(username)

    async def moves_out(self, account_id: UUID) -> None:
        home = await Occupancy.get(person__account_id=account_id, ended_at=None)
        await moves.end(self.api.context, "platform", home, "ended_by_staff")


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
    made = Doors(api, air, park, {}, UUID(int=0), {})
    operator = Site(park.community.operator_id)
    made.operator = await made.staff_member("operator", Role.OPERATOR_ADMIN, operator)
    made.lin, made.lin_id = await made.resident("lin", park.flat)
    yield made
    await air.settled()
