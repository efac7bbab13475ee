from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.certification.models import Certification, Path
from business_api.certification.states import State
from business_api.places.models import House, HouseClass, HouseState
from business_api.residents.models import Occupancy, ResidentType
from business_api.tenancy import place
from device_registry.devices.models import Device, DeviceSession, OpenCommand
from device_registry.devices.states import CommandState, Position, Status
from device_registry.journal.models import DeviceEvent
from foundation.ids import new_id, new_ulid
from tests.business_api.conftest import Api, Estate
from tests.business_api.organisations.conftest import signed_in
from tests.support.statements import statements


@dataclass
class Counted:
    api: Api
    operator_id: UUID
    runner: dict[str, str]
    manager: dict[str, str]

    async def get(self, path: str, who: dict[str, str] | None = None) -> Any:
        answer = await self.api.client.get(f"/v1/{path}", headers=who or self.manager)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def counted(api: Api, park: Estate, sibling: Estate, elsewhere: Estate) -> Counted:
    """Three communities of two companies of one operator."""
    operator_id = park.community.operator_id
    runner = await signed_in(api, "runner", Role.OPERATOR_ADMIN, Site(operator_id))
    manager = await signed_in(api, "manager", Role.PROPERTY_ADMIN, park.company.site)
    return Counted(api, operator_id, runner, manager)


async def station(api: Api, where: Estate, status: Status, *, online: bool = False) -> Device:
    number = await Device.all().count()
    mac = f"0200000000{number:02X}"
    if online:
        await DeviceSession.create(
            mac=mac, online=True, since=api.time(), sess="s", heard_at=api.time()
        )
    return await Device.create(
        community_id=where.id,
        place_id=where.id,
        position=Position.GATE,
        name="大门",
        mac=mac if status is not Status.UNBOUND else None,
        last_mac=mac,
        status=status,
        comm_code=f"{number}",
    )


async def opened(api: Api, device: Device, days: float, state: CommandState) -> None:
    at = api.time() - timedelta(days=days)
    await OpenCommand.create(
        id=new_ulid(),
        device_id=device.id,
        community_id=device.community_id,
        mac=device.last_mac,
        state=state,
        by_kind="account",
        by_id=new_id(),
        at=at,
        deadline=at,
    )


async def happened(api: Api, device: Device, days: float, type_: str, **more: Any) -> None:
    at = api.time() - timedelta(days=days)
    seq = await DeviceEvent.all().count() + 1
    event = {"opening": True} | more
    await DeviceEvent.create(
        device_id=device.id,
        box=1,
        community_id=device.community_id,
        seq=seq,
        boot=1,
        at=at,
        clk="ok",
        received_at=at,
        type=type_,
        door=1,
        **event,
    )


async def apply(api: Api, house: House, state: State) -> None:
    account = new_id()
    await Certification.create(
        house_id=house.id,
        building_id=house.building_id,
        account_id=account,
        type=ResidentType.OWNER,
        path=Path.REVIEW,
        state=state,
        slot=f"{house.id}/{account}",
        name="x",
        created_at=api.time(),
        updated_at=api.time(),
        **place(house.site),
    )


async def test_a_community_is_counted(counted: Counted, park: Estate):
    api = counted.api
    await House.filter(id=park.flat.id).update(
        house_class=HouseClass.HIGH_RISE, state=HouseState.OCCUPIED
    )
    await api.resident("owner", park.flat)
    await api.resident("tenant", park.flat, ResidentType.TENANT)
    await api.resident("gone", park.home)
    await Occupancy.filter(house_id=park.home.id).update(ended_at=api.time(), slot=None)
    gate = await station(api, park, Status.ACTIVE, online=True)
    await station(api, park, Status.ACTIVE)
    await station(api, park, Status.AWAITING)
    await station(api, park, Status.UNBOUND)
    for days in (1, 6.9, 7.1, 29, 31):
        await opened(api, gate, days, CommandState.EXECUTED)
        await happened(api, gate, days, "access.granted")
    await opened(api, gate, 1, CommandState.REFUSED)
    await happened(api, gate, 1, "access.denied")
    await happened(api, gate, 1, "remote.open", opening=False)
    await happened(api, gate, 1, "call.sip_open", result="unknown")
    for state in (State.PENDING_REVIEW, State.PENDING_REVIEW, State.WAIT_OWNER_CODE):
        await apply(api, park.home, state)

    found = await counted.get(f"communities/{park.id}/statistics")
    assert found == {
        "communities": 1,
        "buildings": 2,
        "houses": 2,
        "houses_by_state": {
            **dict.fromkeys(HouseState, 0),
            HouseState.OCCUPIED: 1,
            HouseState.VACANT: 1,
        },
        "houses_by_class": {**dict.fromkeys(HouseClass, 0), HouseClass.HIGH_RISE: 1},
        "occupied": 1,
        "occupied_share": 0.5,
        "residents": 2,
        "residents_by_type": {
            **dict.fromkeys(ResidentType, 0),
            ResidentType.OWNER: 1,
            ResidentType.TENANT: 1,
        },
        "stations": 3,
        "stations_by_status": {
            **{status.value: 0 for status in Status if status is not Status.UNBOUND},
            "active": 2,
            "awaiting": 1,
        },
        "stations_by_presence": {"online": 1, "stale": 0, "offline": 1},
        "certifications_waiting": 2,
        "openings_7_days": 4,
        "openings_30_days": 8,
    }


async def test_a_company_is_the_sum_of_its_communities(
    counted: Counted, park: Estate, sibling: Estate, elsewhere: Estate
):
    await counted.api.resident("one", park.flat)
    await counted.api.resident("two", sibling.flat)
    await counted.api.resident("three", elsewhere.flat)
    for here in (park, sibling, elsewhere):
        gate = await station(counted.api, here, Status.ACTIVE)
        await opened(counted.api, gate, 1, CommandState.EXECUTED)
    company = await counted.get(f"companies/{park.company.id}/statistics")
    assert (company["communities"], company["houses"], company["occupied"]) == (2, 4, 2)
    assert (company["stations"], company["openings_7_days"]) == (2, 2)
    operator = await counted.get(f"operators/{counted.operator_id}/statistics", counted.runner)
    assert (operator["communities"], operator["houses"], operator["occupied"]) == (3, 6, 3)
    rows = await counted.get("statistics/communities")
    assert [(row["name"], row["statistics"]["occupied"]) for row in rows["items"]] == [
        ("松树园", 1),
        ("柏树园", 1),
    ]
    rows = await counted.get("statistics/companies", counted.runner)
    assert [(row["name"], row["statistics"]["stations"]) for row in rows["items"]] == [
        ("物业乙", 1),
        ("物业甲", 2),
    ]
    one = await counted.get("statistics/companies?search=乙", counted.runner)
    assert one["total"] == 1


async def test_nobody_counts_what_is_not_theirs(counted: Counted, park: Estate, elsewhere: Estate):
    get, client = counted.api.client.get, counted.manager
    for path, who, code in (
        (f"companies/{elsewhere.company.id}", client, 404),
        (f"communities/{elsewhere.id}", client, 404),
        (f"operators/{counted.operator_id}", client, 404),
        (f"communities/{park.id}", park.headers, 403),
        (f"companies/{park.company.id}", park.headers, 403),
    ):
        answer = await get(f"/v1/{path}/statistics", headers=who)
        assert answer.status_code in (code, 404), (path, answer.text)
    root = await signed_in(counted.api, "root", Role.SUPER_ADMIN, Site())
    assert (await get("/v1/statistics/companies", headers=root)).status_code == 403
    for path in ("companies", "communities"):
        query = f"operator_id={counted.operator_id}&company_id={elsewhere.company.id}"
        found = (await get(f"/v1/statistics/{path}?{query}", headers=client)).json()
        assert all(row["id"] != str(elsewhere.id) for row in found["items"])


async def test_a_company_without_anything_is_counted_too(counted: Counted, park: Estate):
    await House.filter(community_id=park.id).delete()
    found = await counted.get(f"communities/{park.id}/statistics")
    assert (found["houses"], found["occupied_share"]) == (0, None)


@pytest.mark.parametrize("residents", [1, 4])
async def test_the_number_of_statements_is_fixed(
    counted: Counted, park: Estate, sibling: Estate, residents: int
):
    for number in range(residents):
        house = park.flat if number % 2 else sibling.flat
        await counted.api.resident(f"resident-{number}", house)
    for path, who, most in (
        (f"communities/{park.id}/statistics", counted.manager, 8),
        (f"companies/{park.company.id}/statistics", counted.manager, 9),
        (f"operators/{counted.operator_id}/statistics", counted.runner, 9),
        ("statistics/communities", counted.runner, 9),
        ("statistics/companies", counted.runner, 10),
    ):
        await counted.get(path, who)
        with statements() as sql:
            await counted.get(path, who)
        assert len([one for one in sql if "set_config" not in one]) == most, (path, sql)
