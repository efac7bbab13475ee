"""Zones, buildings and units: made, listed, edited, deleted, by those who may."""

import json
from typing import Any
from uuid import uuid4

import pytest

from business_api.authz.roles import Role
from business_api.places import names
from business_api.places.models import Building, Zone
from business_api.tenancy import place
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate
from tests.business_api.places.conftest import Admin
from tests.support.statements import statements


async def test_the_tree_is_made_from_the_top(admin: Admin, park: Estate) -> None:
    zone = await admin.made(f"/communities/{park.id}/zones", code="A", name="东区")
    building = await admin.made(
        f"/communities/{park.id}/buildings",
        code="03",
        name="3号楼",
        has_units=True,
        zone_id=zone["id"],
    )
    unit = await admin.made(f"/buildings/{building['id']}/units", code="2", floors=18, lift=True)
    house = await admin.made(
        f"/buildings/{building['id']}/houses",
        unit_id=unit["id"],
        code="0101",
        room_no="101",
        floor=1,
        house_class="high_rise",
        area="88.5",
    )
    assert building == building | {
        "community_name": "柏树园",
        "zone_name": "东区",
        "has_units": True,
        "version": 1,
    }
    assert unit == unit | {"building_name": "3号楼", "floors": 18, "lift": True}
    assert house == house | {
        "name": "3号楼 2单元 0101",
        "building_code": "03",
        "unit_code": "2",
        "room_no": "101",
        "floor": 1,
        "house_class": "high_rise",
        "area": "88.50",
        "state": "vacant",
    }
    for path, made in (
        (f"/zones/{zone['id']}", zone),
        (f"/buildings/{building['id']}", building),
        (f"/units/{unit['id']}", unit),
        (f"/houses/{house['id']}", house),
    ):
        answer = await admin.ask("GET", path)
        assert answer.json() == made
        assert answer.headers["etag"] == '"1"'
    assert (await admin.get(f"/zones?search=东&community_id={park.id}"))["items"] == [zone]
    assert (await admin.get(f"/buildings?zone_id={zone['id']}"))["items"] == [building]
    assert (await admin.get("/buildings?search=3号"))["items"] == [building]
    assert (await admin.get(f"/units?building_id={building['id']}"))["items"] == [unit]
    lines = await AuditEvent.filter(action__endswith=".create").order_by("seq")
    assert [line.action for line in lines] == [
        *("zone.create", "building.create", "unit.create", "house.create"),
    ]


async def test_codes_are_taken_once_beside_each_other(admin: Admin, park: Estate) -> None:
    async def status(path: str, **body: Any) -> int:
        return (await admin.post(path, **body)).status_code

    here = f"/communities/{park.id}"
    await admin.made(f"{here}/zones", code="A", name="x")
    assert await status(f"{here}/zones", code="A", name="y") == 409
    assert await status(f"{here}/buildings", code="01", name="x", has_units=False) == 409
    assert await status(f"/buildings/{park.tower.id}/units", code="1") == 409
    houses = f"/buildings/{park.tower.id}/houses"
    assert await status(houses, unit_id=str(park.unit.id), code="0101") == 409
    # Without a unit too, where the database would call two nulls different.
    assert await status(f"/buildings/{park.villa.id}/houses", code="0101") == 409
    assert await status(f"/buildings/{park.villa.id}/houses", code="0102") == 201


async def test_unit_and_building_must_fit(admin: Admin, park: Estate, elsewhere: Estate) -> None:
    async def problem(path: str, **body: Any) -> str:
        return await admin.problem("POST", path, json={"code": "0909", **body})

    tower, villa = (f"/buildings/{one.id}/houses" for one in (park.tower, park.villa))
    unit, foreign = str(park.unit.id), str(elsewhere.unit.id)
    assert await problem(tower) == "unit-mismatch"
    assert await problem(villa, unit_id=unit) == "unit-mismatch"
    assert await problem(tower, unit_id=foreign) == "no-such-unit"
    assert await problem(f"/buildings/{park.villa.id}/units") == "no-units-here"
    zone = await Zone.create(code="Z", name="z", **place(elsewhere.site))
    body = {"name": "x", "has_units": True, "zone_id": str(zone.id)}
    assert await problem(f"/communities/{park.id}/buildings", **body) == "no-such-zone"


async def test_a_zone_of_another_community_of_ones_own(
    api: Api, park: Estate, sibling: Estate, admin: Admin
) -> None:
    await api.grant(park.admin, Role.COMMUNITY_ADMIN, sibling.site)
    both = Admin(api, await api.headers("admin"))
    zone = await both.made(f"/communities/{sibling.id}/zones", code="A", name="x")
    body = {"code": "09", "name": "x", "has_units": True, "zone_id": zone["id"]}
    path = f"/communities/{park.id}/buildings"
    assert await both.problem("POST", path, json=body) == "no-such-zone"
    moved = await both.patch(f"/buildings/{park.tower.id}", zone_id=zone["id"])
    assert moved.json()["type"] == "/problems/no-such-zone"


async def test_units_are_switched_only_while_nothing_hangs_there(
    admin: Admin, park: Estate
) -> None:
    for building, by in ((park.tower, ["units", "houses"]), (park.villa, ["houses"])):
        answer = await admin.patch(f"/buildings/{building.id}", has_units=not building.has_units)
        assert answer.status_code == 409
        assert answer.json()["by"] == by
    fresh = await admin.made(
        f"/communities/{park.id}/buildings", code="03", name="3号楼", has_units=False
    )
    path = f"/buildings/{fresh['id']}"
    assert (await admin.patch(path, has_units=True)).json()["has_units"] is True
    await admin.made(f"{path}/units", code="1")
    answer = await admin.patch(path, 2, has_units=False)
    assert answer.json()["by"] == ["units"]
    same = await admin.patch(path, 2, has_units=True, name="三号楼")
    assert (same.json()["name"], same.json()["version"]) == ("三号楼", 3)


async def test_an_edit_names_the_version_it_was_made_on(admin: Admin, park: Estate) -> None:
    path = f"/buildings/{park.tower.id}"
    before = await admin.get(path)
    assert (await admin.patch(path, None, name="A座")).json()["type"] == (
        "/problems/if-match-required"
    )
    assert (await admin.patch(path, 2, name="A座")).status_code == 412
    changed = await admin.patch(path, 1, name="A座")
    assert changed.headers["etag"] == '"2"'
    assert changed.json()["name"] == "A座"
    assert changed.json()["updated_at"] > before["updated_at"]
    assert (await admin.patch(path, 1, name="B座")).status_code == 412
    assert (await admin.patch(path, 2, code="02")).json()["code"] == "02"
    for body in ({}, {"name": None}, {"code": None}, {"has_units": None}, {"x": 1}):
        assert (await admin.patch(path, 2, **body)).status_code == 422, body
    line = await AuditEvent.get(action="building.change")
    assert (line.facts["before"]["name"], line.facts["after"]["name"]) == ("1号楼", "A座")


async def test_a_building_moves_between_zones(admin: Admin, park: Estate) -> None:
    zone = await admin.made(f"/communities/{park.id}/zones", code="A", name="东区")
    path = f"/buildings/{park.tower.id}"
    assert (await admin.patch(path, 1, zone_id=zone["id"])).json()["zone_name"] == "东区"
    assert (await admin.patch(path, 2, name="A座")).json()["zone_name"] == "东区"
    answer = await admin.ask("DELETE", f"/zones/{zone['id']}")
    assert (answer.status_code, answer.json()["by"]) == (409, ["buildings"])
    assert (await admin.patch(path, 3, zone_id=None)).json()["zone_id"] is None
    assert (await admin.ask("DELETE", f"/zones/{zone['id']}")).status_code == 204
    assert (await admin.ask("GET", f"/zones/{zone['id']}")).status_code == 404


async def test_units_are_edited(admin: Admin, park: Estate) -> None:
    path = f"/units/{park.unit.id}"
    changed = await admin.patch(path, 1, code="A", floors=6, lift=False)
    assert changed.json() == changed.json() | {"code": "A", "floors": 6, "lift": False}
    assert (await admin.patch(path, 2, floors=None)).json()["floors"] is None
    for floors in (0, 201, "x", 1e30, 10**30):
        assert (await admin.patch(path, 3, floors=floors)).status_code == 422


async def test_what_hangs_on_a_place_keeps_it(api: Api, admin: Admin, park: Estate) -> None:
    async def by(path: str) -> Any:
        answer = await admin.ask("DELETE", path)
        return answer.json().get("by") if answer.status_code == 409 else answer.status_code

    assert await by(f"/buildings/{park.tower.id}") == ["units", "houses"]
    assert await by(f"/units/{park.unit.id}") == ["houses"]
    await api.resident("zhang", park.flat)
    assert await by(f"/houses/{park.flat.id}") == ["residents"]
    assert await by(f"/houses/{park.home.id}") == 204
    assert await by(f"/buildings/{park.villa.id}") == 204
    assert await by(f"/buildings/{park.villa.id}") == 404
    lines = await AuditEvent.filter(action__endswith=".delete").order_by("seq")
    assert [line.action for line in lines] == ["house.delete", "building.delete"]


async def test_several_are_deleted_and_those_in_use_stay(admin: Admin, park: Estate) -> None:
    made = [
        await admin.made(
            f"/communities/{park.id}/buildings", code=f"1{n}", name="x", has_units=True
        )
        for n in range(3)
    ]
    ids = [str(park.tower.id), *(one["id"] for one in made)]
    answer = await admin.post("/buildings/delete", ids=ids)
    assert answer.status_code == 200
    assert answer.json() == {
        "deleted": 3,
        "kept": [{"id": str(park.tower.id), "code": "01", "by": ["units", "houses"]}],
    }
    assert await Building.filter(community_id=park.id).count() == 2
    unit = await admin.made(f"/buildings/{park.tower.id}/units", code="9")
    answer = await admin.post("/units/delete", ids=[unit["id"], str(park.unit.id)])
    assert (answer.json()["deleted"], answer.json()["kept"][0]["by"]) == (1, ["houses"])


async def test_nothing_is_deleted_when_one_is_somebody_elses(
    admin: Admin, park: Estate, elsewhere: Estate
) -> None:
    spare = await Building.create(code="77", name="x", has_units=True, **place(park.site))
    foreign = await Building.create(code="77", name="x", has_units=True, **place(elsewhere.site))
    for other in (foreign.id, uuid4()):
        body = {"ids": [str(spare.id), str(other)]}
        assert await admin.problem("POST", "/buildings/delete", json=body) == "no-such-building"
    assert await Building.filter(code="77").count() == 2


async def test_what_is_elsewhere_is_not_found(
    admin: Admin, park: Estate, sibling: Estate, elsewhere: Estate
) -> None:
    for other in (sibling, elsewhere):
        paths = [
            f"/buildings/{other.tower.id}",
            f"/units/{other.unit.id}",
            f"/houses/{other.flat.id}",
        ]
        for path in paths:
            assert (await admin.ask("GET", path)).status_code == 404, path
            assert (await admin.patch(path, 1, code="X")).status_code == 404, path
            assert (await admin.ask("DELETE", path)).status_code == 404, path
        for path in (f"/communities/{other.id}/places", f"/communities/{other.id}/houses.xlsx"):
            assert (await admin.ask("GET", path)).status_code == 404, path
        body = {"code": "9", "name": "x", "has_units": True}
        assert (await admin.post(f"/communities/{other.id}/buildings", **body)).status_code == 404
        for kind in ("zones", "buildings", "units", "houses"):
            assert (await admin.get(f"/{kind}?community_id={other.id}"))["total"] == 0
    assert (await Building.get(id=elsewhere.tower.id)).name == "1号楼"


async def test_the_company_reads_and_does_not_write(api: Api, park: Estate) -> None:
    await api.account("company", Role.PROPERTY_ADMIN, park.company.site)
    company = Admin(api, await api.headers("company"))
    assert (await company.get("/buildings"))["total"] == 2
    assert (await company.get("/houses"))["total"] == 2
    answer = await company.patch(f"/buildings/{park.tower.id}", 1, name="x")
    assert answer.json()["type"] == "/problems/not-allowed"


@pytest.mark.parametrize("code", ["", "123456789", "01/1", "０１", "a b", "x\n", "\x00", "\ud800"])
async def test_codes_that_are_none(admin: Admin, park: Estate, code: str) -> None:
    body = {"code": code, "name": "x", "has_units": False}
    answer = await admin.ask(
        "POST",
        f"/communities/{park.id}/buildings",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == (201 if code == "x\n" else 422)  # margins are taken off


async def test_the_tree_for_pickers(admin: Admin, park: Estate) -> None:
    zone = await admin.made(f"/communities/{park.id}/zones", code="A", name="东区")
    await admin.patch(f"/buildings/{park.tower.id}", 1, zone_id=zone["id"])
    tree = await admin.get(f"/communities/{park.id}/places")
    assert tree == {
        "id": str(park.id),
        "name": "柏树园",
        "houses": 2,
        "zones": [
            {
                "id": zone["id"],
                "code": "A",
                "name": "东区",
                "buildings": [
                    {
                        "id": str(park.tower.id),
                        "code": "01",
                        "name": "1号楼",
                        "has_units": True,
                        "houses": 1,
                        "units": [{"id": str(park.unit.id), "code": "1", "houses": 1}],
                    }
                ],
            },
            {
                "id": None,
                "code": "",
                "name": "",
                "buildings": [
                    {
                        "id": str(park.villa.id),
                        "code": "02",
                        "name": "2号楼",
                        "has_units": False,
                        "houses": 1,
                        "units": [],
                    }
                ],
            },
        ],
    }


async def test_lists_cost_the_same_for_any_number(admin: Admin, park: Estate) -> None:
    async def cost(path: str) -> int:
        await admin.get(path)
        with statements() as sql:
            await admin.get(path)
        return len(sql)

    paths = ["/buildings?size=100", "/units?size=100", f"/communities/{park.id}/places"]
    before = [await cost(path) for path in paths]
    await Building.bulk_create(
        Building(code=f"B{n}", name=f"{n}", has_units=True, **place(park.site)) for n in range(50)
    )
    assert [await cost(path) for path in paths] == before


async def test_choosing_a_house_before_one_has_any_right(
    api: Api, park: Estate, elsewhere: Estate
) -> None:
    await api.account("newcomer")
    newcomer = Admin(api, await api.headers("newcomer"))
    here = f"/directory/communities/{park.id}"
    buildings = await newcomer.get(f"{here}/buildings")
    assert [set(one) for one in buildings["items"]] == [
        {"id", "code", "name", "has_units", "zone_name"}
    ] * 2
    assert (await newcomer.get(f"{here}/buildings?search=2号"))["total"] == 1
    units = await newcomer.get(f"{here}/units?building_id={park.tower.id}")
    assert units["items"] == [{"id": str(park.unit.id), "code": "1"}]
    houses = await newcomer.get(f"{here}/houses?building_id={park.tower.id}")
    assert houses["items"] == [
        {"id": str(park.flat.id), "code": "0101", "room_no": "", "floor": None}
    ]
    foreign = f"building_id={elsewhere.tower.id}"
    assert (await newcomer.get(f"{here}/units?{foreign}"))["total"] == 0
    assert (await newcomer.get(f"{here}/houses?{foreign}"))["total"] == 0
    assert (await newcomer.get(f"/directory/communities/{uuid4()}/buildings"))["total"] == 0
    assert (await newcomer.ask("GET", "/buildings")).status_code == 403


async def test_names_of_places(park: Estate, elsewhere: Estate) -> None:
    ids = [park.id, park.tower.id, park.unit.id, uuid4()]
    assert await names.of_places(ids) == {
        park.id: "柏树园",
        park.tower.id: "1号楼",
        park.unit.id: "1号楼 1单元",
    }
    assert await names.of_houses([park.flat.id, park.home.id]) == {
        park.flat.id: "1号楼 1单元 0101",
        park.home.id: "2号楼 0101",
    }
    assert await names.of_communities([park.id, elsewhere.id]) == {
        park.id: "柏树园",
        elsewhere.id: "别处",
    }
