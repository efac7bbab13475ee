"""房屋: lists as the console filters them, edits, and houses made by floor and room."""

import json
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError

from business_api.places.models import House, HouseClass, HouseState, Unit
from business_api.tenancy import place
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate
from tests.business_api.places.conftest import Admin
from tests.support.statements import statements


async def test_lists_are_filtered_and_paged(admin: Admin, park: Estate) -> None:
    await House.bulk_create(
        House(
            building=park.tower,
            unit=park.unit,
            code=f"{floor:02}{room:02}",
            room_no=f"{floor}-{room}",
            house_class=HouseClass.ROW if room == 1 else None,
            state=HouseState.LET if floor == 2 else HouseState.VACANT,
            **place(park.site),
        )
        for floor in range(2, 8)
        for room in range(1, 4)
    )
    zone = await admin.made(f"/communities/{park.id}/zones", code="A", name="东区")
    await admin.patch(f"/buildings/{park.villa.id}", 1, zone_id=zone["id"])

    first = await admin.get("/houses")
    assert (first["total"], first["page"], first["size"], len(first["items"])) == (20, 1, 10, 10)
    seen = [
        (house["building_code"], house["code"])
        for number in (1, 2, 3, 4)
        for house in (await admin.get(f"/houses?page={number}&size=7"))["items"]
    ]
    assert seen == sorted(seen)
    assert len(set(seen)) == 20
    for query, total in (
        ("page=99999", 20),
        ("search=02", 9),  # 0201 0202 0203, five rooms 02, and all of building 02
        ("search=%25", 0),
        ("search=_", 0),
        ("search=2号", 1),
        ("search=7-3", 1),
        (f"unit_id={park.unit.id}", 19),
        (f"building_id={park.villa.id}", 1),
        (f"zone_id={zone['id']}", 1),
        (f"community_id={park.id}", 20),
        ("house_class=row", 6),
        ("state=let", 3),
        ("state=let&house_class=row", 1),
    ):
        assert (await admin.get(f"/houses?{query}"))["total"] == total, query
    for query in ("page=0", "size=101", "page=x", "search=%00", "state=x", "zone_id=1"):
        assert (await admin.ask("GET", f"/houses?{query}")).status_code == 422, query


async def test_a_list_costs_the_same_for_any_number(admin: Admin, park: Estate) -> None:
    async def cost() -> int:
        await admin.get("/houses?size=100")
        with statements() as sql:
            await admin.get("/houses?size=100")
        return len(sql)

    before = await cost()
    await House.bulk_create(
        House(building=park.villa, unit=None, code=f"9{n}", **place(park.site)) for n in range(80)
    )
    assert await cost() == before


async def test_residents_see_their_own_house(api: Api, park: Estate) -> None:
    await api.resident("zhang", park.flat)
    zhang = Admin(api, await api.headers("zhang"))
    listed = await zhang.get("/houses")
    assert [house["id"] for house in listed["items"]] == [str(park.flat.id)]
    assert (await zhang.get(f"/houses/{park.flat.id}"))["name"] == "1号楼 1单元 0101"
    assert (await zhang.ask("GET", f"/houses/{park.home.id}")).status_code == 404
    assert (await zhang.patch(f"/houses/{park.flat.id}", 1, code="9")).status_code == 403
    assert (await zhang.ask("DELETE", f"/houses/{park.flat.id}")).status_code == 403
    path = f"/communities/{park.id}/houses.xlsx"
    assert (await zhang.ask("GET", path)).status_code == 404


async def test_a_house_is_edited(admin: Admin, park: Estate) -> None:
    path = f"/houses/{park.flat.id}"
    changed = await admin.patch(
        path, 1, area="100.25", state="renovating", house_class="multi_storey", room_no="101室"
    )
    assert changed.status_code == 200, changed.text
    body = changed.json()
    assert (body["area"], body["state"], body["version"]) == ("100.25", "renovating", 2)
    assert (await admin.patch(path, 2, area=None, floor=-1)).json()["area"] is None
    assert (await admin.patch(path, 2, floor=1)).status_code == 412
    await House.create(building=park.tower, unit=park.unit, code="0102", **place(park.site))
    taken = await admin.patch(path, 3, code="0102")
    assert (taken.status_code, taken.json()["code"]) == (409, "0102")
    assert (await admin.patch(path, 3, code="0102")).status_code == 409  # nothing was left behind
    line = await AuditEvent.filter(action="house.change").order_by("seq").first()
    assert line is not None
    assert line.facts["after"] == line.facts["after"] | {"area": "100.25", "state": "renovating"}


@pytest.mark.parametrize(
    "area", [88.5, 0, "0", "-1", "1.001", "NaN", "Infinity", "1e400", "x", 10**40, "", True]
)
async def test_areas_that_are_none(admin: Admin, park: Estate, area: Any) -> None:
    answer = await admin.patch(f"/houses/{park.flat.id}", 1, area=area)
    assert answer.status_code == 422, area


@pytest.mark.parametrize("text", ["\x00", "\ud800", "x" * 10_000, "a\nb"])
async def test_room_numbers_that_are_none(admin: Admin, park: Estate, text: str) -> None:
    answer = await admin.ask(
        "PATCH",
        f"/houses/{park.flat.id}",
        content=json.dumps({"room_no": text}),
        headers={"Content-Type": "application/json", "If-Match": '"1"'},
    )
    assert answer.status_code == 422


async def test_several_houses_are_deleted_but_not_homes(
    api: Api, admin: Admin, park: Estate
) -> None:
    await api.resident("zhang", park.flat)
    answer = await admin.post("/houses/delete", ids=[str(park.flat.id), str(park.home.id)])
    assert answer.json() == {
        "deleted": 1,
        "kept": [{"id": str(park.flat.id), "code": "0101", "by": ["residents"]}],
    }
    for ids in ([], [str(park.flat.id)] * 101, ["x"]):
        assert (await admin.post("/houses/delete", ids=ids)).status_code == 422


async def test_the_database_itself_keeps_a_home(api: Api, park: Estate) -> None:
    await api.resident("zhang", park.flat)
    with pytest.raises(IntegrityError):
        await House.filter(id=park.flat.id).delete()


async def test_houses_are_made_by_floor_and_room(admin: Admin, park: Estate) -> None:
    path = f"/buildings/{park.tower.id}/houses/generate"
    wanted = {"last_floor": 5, "rooms": 2, "skip_floors": [4], "house_class": "high_rise"}
    preview = (await admin.post(path, **wanted, area="90", preview=True)).json()
    assert (preview["created"], preview["existing"]) == (7, 1)
    assert preview["houses"][0] == {
        "unit_code": "1",
        "code": "0101",
        "room_no": "101",
        "floor": 1,
        "exists": True,
    }
    assert await House.filter(building=park.tower).count() == 1

    made = (await admin.post(path, **wanted, area="90")).json()
    assert made == preview
    codes = await House.filter(unit=park.unit).order_by("code").values_list("code", flat=True)
    assert codes == ["0101", "0102", "0201", "0202", "0301", "0302", "0501", "0502"]
    again = (await admin.post(path, **wanted)).json()
    assert (again["created"], again["existing"]) == (0, 8)
    assert await House.filter(unit=park.unit).count() == 8
    line = await AuditEvent.get(action="house.generate")
    assert line.facts["houses"] == 7
    assert (await House.get(code="0502")).area == 90

    other = await Unit.create(building=park.tower, code="2", **place(park.site))
    both = (await admin.post(path, last_floor=1, rooms=2)).json()
    assert (both["created"], both["existing"]) == (2, 2)
    one = (await admin.post(path, last_floor=1, rooms=3, unit_ids=[str(other.id)])).json()
    assert (one["created"], one["existing"]) == (1, 2)
    villa = f"/buildings/{park.villa.id}/houses/generate"
    assert (await admin.post(villa, last_floor=2, rooms=1)).json()["created"] == 1


async def test_houses_that_cannot_be_made(admin: Admin, park: Estate, elsewhere: Estate) -> None:
    path = f"/buildings/{park.tower.id}/houses/generate"
    villa = f"/buildings/{park.villa.id}/houses/generate"
    few = {"last_floor": 1, "rooms": 1}

    async def problem(path: str, **body: Any) -> str:
        return await admin.problem("POST", path, json=few | body)

    assert await problem(path, last_floor=99, rooms=99) == "too-many-houses"
    assert await problem(path, unit_ids=[str(elsewhere.unit.id)]) == "no-such-unit"
    assert await problem(villa, unit_ids=[str(park.unit.id)]) == "unit-mismatch"
    assert await problem(path, last_floor=100) == "invalid-request"
    empty = await admin.made(
        f"/communities/{park.id}/buildings", code="09", name="x", has_units=True
    )
    assert await problem(f"/buildings/{empty['id']}/houses/generate") == "unit-mismatch"


async def test_what_is_made_costs_the_same_for_any_number(admin: Admin, park: Estate) -> None:
    async def cost(floors: int) -> int:
        path = f"/buildings/{park.tower.id}/houses/generate"
        with statements() as sql:
            answer = await admin.post(path, last_floor=floors, rooms=4)
        assert answer.status_code == 200
        return len(sql)

    await cost(1)
    assert await cost(2) == await cost(40)
