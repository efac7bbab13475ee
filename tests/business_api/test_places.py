"""The place tree: paging, search, scope, optimistic locking."""

from typing import Any
from uuid import uuid4

import pytest

from business_api.places import buildings
from business_api.places.models import Building, House
from tests.business_api.conftest import Api, Estate


async def test_current_community(api: Api, park: Estate) -> None:
    await api.account("zhang", park.community)
    for headers in (park.headers, await api.headers("zhang")):
        answer = await api.client.get("/v1/communities/current", headers=headers)
        assert answer.json() == {"id": str(park.id), "name": "柏树园"}


async def test_a_building_with_units_and_houses(api: Api, park: Estate) -> None:
    async def post(path: str, **body: Any) -> dict[str, Any]:
        answer = await api.client.post(path, json=body, headers=park.headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def get(path: str) -> dict[str, Any]:
        answer = await api.client.get(path, headers=park.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    building = await post("/v1/buildings", code="03", name=" 3号楼 ", has_units=True)
    assert building["name"] == "3号楼"
    unit = await post(f"/v1/buildings/{building['id']}/units", code="2")
    house = await post("/v1/houses", building_id=building["id"], unit_id=unit["id"], code="0203")
    assert house == {
        "id": house["id"],
        "code": "0203",
        "building_id": building["id"],
        "building_name": "3号楼",
        "unit_id": unit["id"],
        "unit_code": "2",
        "version": 1,
    }
    assert await get(f"/v1/houses/{house['id']}") == house
    assert await get(f"/v1/units/{unit['id']}") == unit
    assert await get(f"/v1/buildings/{building['id']}") == building
    assert (await get(f"/v1/buildings/{building['id']}/units"))["items"] == [unit]


async def test_codes_are_taken_once_beside_each_other(api: Api, park: Estate) -> None:
    async def status(path: str, **body: Any) -> int:
        answer = await api.client.post(path, json=body, headers=park.headers)
        return answer.status_code

    tower, villa, unit = str(park.tower.id), str(park.villa.id), str(park.unit.id)
    assert await status("/v1/buildings", code="01", name="x", has_units=False) == 409
    assert await status(f"/v1/buildings/{tower}/units", code="1") == 409
    assert await status("/v1/houses", building_id=tower, unit_id=unit, code="0101") == 409
    # Without a unit too, where the database would call two nulls different.
    assert await status("/v1/houses", building_id=villa, code="0101") == 409
    assert await status("/v1/houses", building_id=villa, code="0102") == 201


async def test_unit_and_building_must_fit(api: Api, park: Estate, elsewhere: Estate) -> None:
    async def code(**body: Any) -> str:
        answer = await api.client.post(
            "/v1/houses", json={**body, "code": "0909"}, headers=park.headers
        )
        return str(answer.json()["type"])

    tower, villa, unit = str(park.tower.id), str(park.villa.id), str(park.unit.id)
    assert await code(building_id=tower) == "/problems/unit-mismatch"
    assert await code(building_id=villa, unit_id=unit) == "/problems/unit-mismatch"
    foreign = str(elsewhere.unit.id)
    assert await code(building_id=tower, unit_id=foreign) == "/problems/unit-mismatch"
    assert await code(building_id=villa, unit_id=foreign) == "/problems/unit-mismatch"
    units = f"/v1/buildings/{villa}/units"
    answer = await api.client.post(units, json={"code": "1"}, headers=park.headers)
    assert answer.status_code == 404


async def test_what_is_elsewhere_is_not_found(api: Api, park: Estate, elsewhere: Estate) -> None:
    ids = [
        f"/v1/buildings/{elsewhere.tower.id}",
        f"/v1/buildings/{elsewhere.tower.id}/units",
        f"/v1/units/{elsewhere.unit.id}",
        f"/v1/houses/{elsewhere.flat.id}",
        f"/v1/houses/{elsewhere.flat.id}/residents",
        f"/v1/houses/{uuid4()}",
    ]
    for path in ids:
        assert (await api.client.get(path, headers=park.headers)).status_code == 404, path
    foreign = str(elsewhere.tower.id)
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/houses", {"building_id": foreign, "code": "0909"}),
        ("POST", f"/v1/buildings/{foreign}/units", {"code": "9"}),
        ("PATCH", f"/v1/buildings/{foreign}", {"name": "mine"}),
        ("PATCH", f"/v1/houses/{elsewhere.flat.id}", {"code": "9999"}),
    ]
    headers = park.headers | {"If-Match": '"1"'}
    for method, path, body in writes:
        answer = await api.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 404, path
    listed = await api.client.get(f"/v1/houses?building_id={foreign}", headers=park.headers)
    assert listed.json()["total"] == 0
    assert (await Building.get(id=foreign)).name == "1号楼"


async def test_residents_do_not_read_the_register(api: Api, park: Estate) -> None:
    await api.account("zhang", park.community)
    headers = await api.headers("zhang")
    for path in ("/v1/houses", "/v1/buildings", f"/v1/houses/{park.flat.id}"):
        answer = await api.client.get(path, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/not-allowed"


async def test_pages(api: Api, park: Estate) -> None:
    await House.bulk_create(
        House(
            community_id=park.id,
            building=park.tower,
            unit=park.unit,
            code=f"{floor:02}{room:02}",
        )
        for floor in range(2, 8)
        for room in range(1, 4)
    )

    async def page(query: str) -> dict[str, Any]:
        answer = await api.client.get(f"/v1/houses?{query}", headers=park.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    first = await page("")
    assert (first["total"], first["page"], first["size"], len(first["items"])) == (20, 1, 10, 10)
    seen = [
        house["id"]
        for number in (1, 2, 3, 4)
        for house in (await page(f"page={number}&size=7"))["items"]
    ]
    assert len(seen) == len(set(seen)) == 20
    assert (await page("page=99999"))["items"] == []
    assert (await page("search=02"))["total"] == 8  # 0201 0202 0203 and five rooms 02
    assert (await page("search=%25"))["total"] == 0
    assert (await page("search=_"))["total"] == 0
    assert (await page("search=2号"))["total"] == 1
    assert (await page(f"unit_id={park.unit.id}"))["total"] == 19
    for query in ("page=0", "size=0", "size=101", "page=100001", "page=x", "search=%00"):
        answer = await api.client.get(f"/v1/houses?{query}", headers=park.headers)
        assert answer.status_code == 422, query


async def test_an_edit_names_the_version_it_was_made_on(api: Api, park: Estate) -> None:
    path, body = f"/v1/houses/{park.flat.id}", {"code": "0102"}

    async def patch(**headers: str) -> Any:
        return await api.client.patch(path, json=body, headers=park.headers | headers)

    read = await api.client.get(path, headers=park.headers)
    assert read.headers["etag"] == '"1"'
    assert (await patch()).json()["type"] == "/problems/if-match-required"
    for stale in ('"2"', 'W/"1"', "1", '"x"', "*"):
        answer = await patch(**{"If-Match": stale})
        assert answer.status_code == 412, stale
        assert answer.json()["type"] == "/problems/stale"
    changed = await patch(**{"If-Match": read.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    assert changed.json()["code"] == "0102"
    assert (await patch(**{"If-Match": read.headers["etag"]})).status_code == 412


async def test_a_rename_onto_a_neighbour(api: Api, park: Estate) -> None:
    await House.create(community_id=park.id, building=park.tower, unit=park.unit, code="0102")
    headers = park.headers | {"If-Match": '"1"'}
    path = f"/v1/houses/{park.flat.id}"
    answer = await api.client.patch(path, json={"code": "0102"}, headers=headers)
    assert answer.status_code == 409
    assert answer.json()["code"] == "0102"


async def test_rename_a_building(api: Api, park: Estate) -> None:
    headers = park.headers | {"If-Match": '"1"'}
    path = f"/v1/buildings/{park.tower.id}"
    answer = await api.client.patch(path, json={"name": "A座"}, headers=headers)
    assert (answer.json()["name"], answer.json()["version"]) == ("A座", 2)
    assert (await api.client.patch(path, json={"name": "B座"}, headers=headers)).status_code == 412


@pytest.mark.parametrize("code", ["", "123456789", "01/1", "０１", "a b", "x\n"])
async def test_codes_that_are_none(api: Api, park: Estate, code: str) -> None:
    body = {"code": code, "name": "x", "has_units": False}
    answer = await api.client.post("/v1/buildings", json=body, headers=park.headers)
    assert answer.status_code == (201 if code == "x\n" else 422)  # margins are taken off


async def test_names_of_places(api: Api, park: Estate, elsewhere: Estate) -> None:
    ids = [park.id, park.tower.id, park.unit.id, elsewhere.tower.id, uuid4()]
    assert await buildings.names(park.id, ids) == {
        park.id: "柏树园",
        park.tower.id: "1号楼",
        park.unit.id: "1号楼 1单元",
    }
