import json
from typing import Any

import pytest

from business_api.organisations.models import Community
from foundation.models import AuditEvent
from tests.business_api.conftest import Estate
from tests.business_api.organisations.conftest import Tree
from tests.support.statements import statements

PARK = {
    "name": "柏树园",
    "region_code": "440306",
    "address": "前进一路 8 号",
    "contact": "小区管理员",  # C11: free text, whatever it says
    "phone": "0755-27780000",
    "location": {"lat": 22.561, "lng": 113.884, "datum": "gcj02"},
}


async def made(tree: Tree, **other: Any) -> dict[str, Any]:
    url = f"/v1/companies/{tree.company.id}/communities"
    answer = await tree.api.client.post(url, json=PARK | other, headers=tree.manager)
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


async def test_a_company_makes_a_community(tree: Tree):
    row = await made(tree)
    assert (row["province"], row["city"], row["district"]) == ("广东省", "深圳市", "宝安区")
    assert (row["company_name"], row["phone"]) == ("物业甲", "+8675527780000")
    assert row["certification_policy"] == "owner_code"
    assert row["location"]["datum"] == "wgs84"
    assert row["location"] != PARK["location"]
    for datum, shift in (("gcj02", 0.000_001), ("bd09", 0.1), ("wgs84", 0.1)):
        url = f"/v1/communities/{row['id']}?datum={datum}"
        found = (await tree.api.client.get(url, headers=tree.manager)).json()["location"]
        assert found["datum"] == datum
        assert abs(found["lat"] - 22.561) <= shift
        assert abs(found["lng"] - 113.884) <= shift
    again = await tree.api.client.post(
        f"/v1/companies/{tree.company.id}/communities", json=PARK, headers=tree.manager
    )
    assert (again.status_code, again.json()["type"]) == (409, "/problems/name-taken")


async def test_two_companies_may_have_a_community_of_one_name(tree: Tree):
    await made(tree)
    await Community.create(
        operator_id=tree.operator.id,
        company_id=tree.other.id,
        name="柏树园",
        created_at=tree.api.time(),
    )
    seen = (await tree.api.client.get("/v1/communities", headers=tree.runner)).json()
    assert [row["company_name"] for row in seen["items"]] == ["物业甲", "物业乙"]
    own = (await tree.api.client.get("/v1/communities", headers=tree.manager)).json()
    assert [row["company_name"] for row in own["items"]] == ["物业甲"]
    assert (await tree.api.client.get("/v1/communities", headers=tree.root)).status_code == 403
    rival = await tree.api.client.get("/v1/communities", headers=tree.rival_runner)
    assert rival.json()["total"] == 0


async def test_only_its_company_makes_and_edits_one(tree: Tree):
    row = await made(tree)
    client = tree.api.client
    for who, code in ((tree.runner, 403), (tree.root, 404), (tree.rival_runner, 403)):
        url = f"/v1/companies/{tree.company.id}/communities"
        assert (await client.post(url, json=PARK, headers=who)).status_code == code
    foreign = f"/v1/companies/{tree.other.id}/communities"
    assert (await client.post(foreign, json=PARK, headers=tree.manager)).status_code == 404
    one = f"/v1/communities/{row['id']}"
    for who, code in ((tree.runner, 403), (tree.root, 404), (tree.rival_runner, 403)):
        edit = await client.patch(one, json={"name": "x"}, headers=who | {"If-Match": '"1"'})
        assert edit.status_code == code
    seen = await client.get(one, headers=tree.rival_runner)
    assert (seen.status_code, seen.json()["type"]) == (404, "/problems/no-such-community")


async def test_a_community_is_edited(tree: Tree):
    row = await made(tree)
    one = f"/v1/communities/{row['id']}"
    edit = {"certification_policy": "review", "region_code": "441900", "contact": "张三"}
    match = tree.manager | {"If-Match": '"1"'}
    changed = (await tree.api.client.patch(one, json=edit, headers=match)).json()
    assert (changed["city"], changed["district"]) == ("东莞市", "")
    assert changed == row | edit | {"city": "东莞市", "district": "", "version": 2}
    match = tree.manager | {"If-Match": '"2"'}
    gone = await tree.api.client.patch(one, json={"location": None}, headers=match)
    assert gone.json()["location"] is None
    line = await AuditEvent.filter(action="community.change").order_by("seq").first()
    assert line is not None
    assert line.facts["before"] == {"certification_policy": "owner_code", "region_code": "440306"}
    assert "张三" not in str(line.facts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"region_code": "440300"},
        {"region_code": "440000"},
        {"region_code": "999999"},
        {"region_code": ""},
        {"region_code": "４４０３０６"},
        {"location": {"lat": 91, "lng": 0}},
        {"location": {"lat": 1}},
        {"location": {"lat": 1, "lng": 2, "datum": "mars"}},
        {"location": {"lat": 10**400, "lng": 0}},
        {"location": 5},
        {"certification_policy": "none"},
        {"phone": "１２"},
        {"name": " "},
        {"contact": "a\nb"},
    ],
)
async def test_bad_input_is_refused_with_a_reason(tree: Tree, wrong: dict[str, Any]):
    url = f"/v1/companies/{tree.company.id}/communities"
    headers = tree.manager | {"Content-Type": "application/json"}
    body = json.dumps(PARK | wrong).encode()
    answer = await tree.api.client.post(url, content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await Community.all().count() == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
async def test_a_coordinate_is_a_number(tree: Tree, number: str):
    url = f"/v1/companies/{tree.company.id}/communities"
    body = json.dumps(PARK | {"location": {"lat": "?", "lng": 1}}).replace('"?"', number)
    headers = tree.manager | {"Content-Type": "application/json"}
    answer = await tree.api.client.post(url, content=body, headers=headers)
    assert answer.status_code == 422, answer.text


async def test_lists_are_narrowed(tree: Tree):
    await made(tree, name="甲", region_code="440306")
    await made(tree, name="乙", region_code="440106", phone="13800138000")
    await made(tree, name="丙", region_code="110101", address="南锣鼓巷")
    for query, names in (
        ("region_code=440300", ["甲"]),
        ("region_code=440000", ["乙", "甲"]),
        ("region_code=110000", ["丙"]),
        ("region_code=110101", ["丙"]),
        ("region_code=990000", []),
        ("search=138001", ["乙"]),
        ("search=锣鼓", ["丙"]),
        (f"company_id={tree.other.id}", []),
        (f"operator_id={tree.operator.id}", ["丙", "乙", "甲"]),
        (f"operator_id={tree.rival.id}", []),
    ):
        answer = await tree.api.client.get(f"/v1/communities?{query}", headers=tree.manager)
        assert [row["name"] for row in answer.json()["items"]] == names, query


@pytest.mark.parametrize("number", [1, 5])
async def test_a_list_asks_the_same_number_of_statements(tree: Tree, number: int):
    for one in range(number):
        await made(tree, name=f"小区{one}")
    await tree.api.client.get("/v1/communities", headers=tree.runner)
    with statements() as sql:
        answer = await tree.api.client.get("/v1/communities", headers=tree.runner)
    assert answer.json()["total"] == number
    assert len(sql) == 3, sql


async def test_whoever_is_signed_in_finds_any_community_by_name(tree: Tree, park: Estate):
    await tree.api.account("newcomer")
    newcomer = await tree.api.headers("newcomer")
    row = await made(tree, name="松树园")
    found = await tree.api.client.get(
        "/v1/directory/communities?region_code=440300", headers=newcomer
    )
    assert found.json()["items"] == [
        {
            "id": row["id"],
            "name": "松树园",
            "address": PARK["address"],
            "region_code": "440306",
            "province": "广东省",
            "city": "深圳市",
            "district": "宝安区",
        }
    ]
    every = (await tree.api.client.get("/v1/directory/communities", headers=newcomer)).json()
    assert [one["name"] for one in every["items"]] == ["松树园", "柏树园"]
    assert (await tree.api.client.get("/v1/communities", headers=newcomer)).status_code == 403
    assert (await tree.api.client.get("/v1/directory/communities")).status_code == 401


async def test_a_community_admin_sees_its_own(tree: Tree, park: Estate):
    row = await made(tree, name="松树园")
    seen = (await tree.api.client.get("/v1/communities", headers=park.headers)).json()
    assert [one["id"] for one in seen["items"]] == [str(park.id)]
    one = await tree.api.client.get(f"/v1/communities/{row['id']}", headers=park.headers)
    assert one.status_code == 404
    edit = await tree.api.client.patch(
        f"/v1/communities/{park.id}",
        json={"name": "x"},
        headers=park.headers | {"If-Match": '"1"'},
    )
    assert edit.status_code == 403
