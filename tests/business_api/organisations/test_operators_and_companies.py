import asyncio
import json
from typing import Any

import pytest

from business_api.organisations.models import Community, Operator, PropertyCompany
from foundation.models import AuditEvent
from tests.business_api.conftest import Api
from tests.business_api.organisations.conftest import Tree
from tests.support.statements import statements

NEW = {
    "name": "安居物业",
    "phone": "0755-8320 1234",
    "address": "深南大道 1 号",
    "contact": "王经理",
}


async def test_the_super_admin_makes_operators_and_sees_no_company(tree: Tree):
    client = tree.api.client
    made = await client.post("/v1/operators", json=NEW, headers=tree.root)
    assert made.status_code == 201, made.text
    row = made.json()
    assert (row["name"], row["phone"], row["companies"]) == ("安居物业", "+8675583201234", 0)
    twice = await client.post("/v1/operators", json=NEW, headers=tree.root)
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/name-taken")
    listed = (await client.get("/v1/operators", headers=tree.root)).json()
    counts = {one["name"]: one["companies"] for one in listed["items"]}
    assert counts == {"安居物业": 0, "运营乙": 0, "运营甲": 2}
    companies = await client.get("/v1/companies", headers=tree.root)
    assert companies.status_code == 403
    one = await client.get(f"/v1/companies/{tree.company.id}", headers=tree.root)
    assert one.status_code == 404


async def test_an_operator_sees_itself_and_its_companies_alone(tree: Tree):
    client, runner, rival = tree.api.client, tree.runner, tree.rival_runner
    operators = (await client.get("/v1/operators", headers=runner)).json()
    assert [one["name"] for one in operators["items"]] == ["运营甲"]
    assert (await client.get(f"/v1/operators/{tree.rival.id}", headers=runner)).status_code == 404
    made = await client.post("/v1/operators", json=NEW, headers=runner)
    assert made.status_code == 403
    mine = (await client.get("/v1/companies", headers=runner)).json()
    assert [one["name"] for one in mine["items"]] == ["物业乙", "物业甲"]
    assert (await client.get("/v1/companies", headers=rival)).json()["total"] == 0
    foreign = await client.get(f"/v1/companies/{tree.company.id}", headers=rival)
    nobody = await client.get(f"/v1/companies/{tree.operator.id}", headers=rival)
    assert (foreign.status_code, foreign.json()["type"]) == (404, "/problems/no-such-company")
    assert nobody.json()["type"] == foreign.json()["type"]
    url = f"/v1/operators/{tree.operator.id}/companies"
    assert (await client.post(url, json=NEW, headers=rival)).status_code == 404
    manager = (await client.get("/v1/companies", headers=tree.manager)).json()
    assert [one["name"] for one in manager["items"]] == ["物业甲"]
    assert (await client.post(url, json=NEW, headers=tree.manager)).status_code == 403


async def test_a_company_is_made_edited_and_searched(tree: Tree):
    client, runner = tree.api.client, tree.runner
    url = f"/v1/operators/{tree.operator.id}/companies"
    body = NEW | {"name": "柏树园业主委员会", "is_owner_committee": True}
    made = (await client.post(url, json=body, headers=runner)).json()
    assert (made["is_owner_committee"], made["communities"]) == (True, 0)
    for search in ("业主", "王", "深南", "0755-8320", "83201234"):
        found = await client.get("/v1/companies", params={"search": search}, headers=runner)
        assert [one["id"] for one in found.json()["items"]] == [made["id"]], search
    committees = await client.get("/v1/companies?is_owner_committee=true", headers=runner)
    assert committees.json()["total"] == 1
    one = f"/v1/companies/{made['id']}"
    before = await client.get(one, headers=runner)
    edit = {"contact": "李主任", "phone": "13800138000", "is_owner_committee": False}
    changed = await client.patch(
        one, json=edit, headers=runner | {"If-Match": before.headers["ETag"]}
    )
    assert changed.status_code == 200, changed.text
    assert changed.headers["ETag"] == '"2"'
    assert changed.json() == made | edit | {"phone": "+8613800138000", "version": 2}
    late = await client.patch(one, json={"name": "x"}, headers=runner | {"If-Match": '"1"'})
    assert late.status_code == 412
    taken = await client.patch(one, json={"name": "物业甲"}, headers=runner | {"If-Match": '"2"'})
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/name-taken")
    lacking = await client.patch(one, json={"name": "x"}, headers=runner)
    assert lacking.status_code == 422


async def test_the_audit_tells_no_name_and_no_phone_of_a_person(tree: Tree):
    client, runner = tree.api.client, tree.runner
    one = f"/v1/companies/{tree.company.id}"
    edit = {"contact": "赵钱孙", "phone": "13900139000", "address": "新地址"}
    await client.patch(one, json=edit, headers=runner | {"If-Match": '"1"'})
    lines = await AuditEvent.filter(action="company.change")
    assert len(lines) == 1
    line = lines[0]
    assert (line.company_id, line.operator_id) == (tree.company.id, tree.operator.id)
    assert line.facts["changed"] == ["address", "contact", "phone"]
    assert line.facts["after"] == {"address": "新地址"}
    assert "赵钱孙" not in str(line.facts)
    assert "139001" not in str(line.facts)


async def test_a_company_twice_at_once_is_there_once(tree: Tree):
    url = f"/v1/operators/{tree.operator.id}/companies"
    posts = [tree.api.client.post(url, json=NEW, headers=tree.runner) for _ in range(4)]
    codes = [answer.status_code for answer in await asyncio.gather(*posts)]
    assert sorted(codes) == [201, 409, 409, 409]


@pytest.mark.parametrize("communities", [1, 5])
async def test_a_list_asks_the_same_number_of_statements(tree: Tree, communities: int):
    for number in range(communities):
        await Community.create(
            operator_id=tree.operator.id,
            company_id=tree.company.id,
            name=f"小区{number}",
            created_at=tree.api.time(),
        )
    await tree.api.client.get("/v1/companies", headers=tree.runner)
    with statements() as sql:
        answer = await tree.api.client.get("/v1/companies", headers=tree.runner)
    counts = {one["name"]: one["communities"] for one in answer.json()["items"]}
    assert counts == {"物业甲": communities, "物业乙": 0}
    assert len(sql) == 2, sql


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 10_000},
        {"name": "a\x00b"},
        {"name": "\ud800"},
        {"name": None},
        {"phone": "12"},
        {"phone": "x" * 10_000},
        {"phone": "\x00"},
        {"contact": 5},
        {"address": "x" * 201},
        {"is_owner_committee": 10**400},
        {"surprise": 1},
        {},
    ],
)
async def test_bad_input_is_refused_with_a_reason(tree: Tree, change: dict[str, Any]):
    one = f"/v1/companies/{tree.company.id}"
    headers = tree.runner | {"If-Match": '"1"', "Content-Type": "application/json"}
    body = json.dumps(change).encode()
    answer = await tree.api.client.patch(one, content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_odd_searches_find_nothing(tree: Tree):
    for search in ("%", "_", "\\", "'", "𠮷", "x" * 80):
        answer = await tree.api.client.get(
            "/v1/companies", params={"search": search}, headers=tree.runner
        )
        assert (answer.status_code, answer.json()["total"]) == (200, 0), search
    refused = await tree.api.client.get(
        "/v1/companies", params={"search": "x" * 10_000}, headers=tree.runner
    )
    assert refused.status_code == 422


async def test_a_repeated_request_creates_one(api: Api, tree: Tree):
    headers = tree.root | {"Idempotency-Key": "one"}
    first = await api.client.post("/v1/operators", json=NEW, headers=headers)
    again = await api.client.post("/v1/operators", json=NEW, headers=headers)
    assert first.json() == again.json()
    assert await Operator.filter(name=NEW["name"]).count() == 1
    assert await PropertyCompany.all().count() == 2
