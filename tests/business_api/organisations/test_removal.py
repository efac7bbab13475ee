import asyncio
from typing import Any

import httpx
import pytest

from business_api.accounts.models import RoleGrant
from business_api.authz.roles import Role
from business_api.dictionary.models import DictItem, DictType
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.people.models import Person
from business_api.places.models import Building, Zone
from business_api.tenancy import place
from foundation.models import AuditEvent
from tests.business_api.conftest import Api
from tests.business_api.organisations.conftest import Tree, signed_in

FIRST = {"If-Match": '"1"'}


async def delete(tree: Tree, path: str, who: dict[str, str]) -> httpx.Response:
    return await tree.api.client.delete(f"/v1/{path}", headers=FIRST | who)


async def community(tree: Tree) -> Community:
    return await Community.create(
        operator_id=tree.operator.id,
        company_id=tree.company.id,
        name="柏树园",
        created_at=tree.api.time(),
    )


async def test_an_empty_company_is_deleted(tree: Tree):
    gone = await delete(tree, f"companies/{tree.other.id}", tree.runner)
    assert gone.status_code == 204, gone.text
    assert not await PropertyCompany.exists(id=tree.other.id)
    line = await AuditEvent.get(action="company.delete")
    assert (line.company_id, line.facts["before"]) == (tree.other.id, {"name": "物业乙"})
    again = await delete(tree, f"companies/{tree.other.id}", tree.runner)
    assert again.status_code == 404


async def test_what_is_left_in_a_company_is_said(tree: Tree):
    await community(tree)
    kept = await delete(tree, f"companies/{tree.company.id}", tree.runner)
    problem = kept.json()
    assert (kept.status_code, problem["type"]) == (409, "/problems/organisation-in-use")
    assert problem["by"] == ["communities", "accounts"]
    assert (problem["communities"], problem["accounts"]) == (1, 1)
    assert problem["detail"] == "1 communities, 1 accounts"


async def test_an_operator_goes_with_its_own_words(tree: Tree):
    kept = await delete(tree, f"operators/{tree.operator.id}", tree.root)
    assert (kept.status_code, kept.json()["by"]) == (409, ["companies", "accounts"])
    now = tree.api.time()
    empty = await Operator.create(name="空", created_at=now)
    type_ = await DictType.create(code="x", name_zh="x", name_en="x", created_at=now)
    await DictItem.create(
        type=type_,
        operator_id=empty.id,
        owner=str(empty.id),
        code="x",
        name_zh="x",
        name_en="x",
        created_at=now,
    )
    assert (await delete(tree, f"operators/{empty.id}", tree.root)).status_code == 204
    assert await DictItem.all().count() == 0


@pytest.mark.parametrize("what", ["zones", "buildings", "people", "accounts"])
async def test_a_community_in_use_stays(tree: Tree, what: str):
    row = await community(tree)
    where = place(row.site)
    if what == "zones":
        await Zone.create(code="A", name="东区", **where)
    elif what == "buildings":
        await Building.create(code="01", name="1号楼", **where)
    elif what == "people":
        await Person.create(name="张三", created_at=tree.api.time(), **where)
    else:
        await tree.api.account("guard", Role.COMMUNITY_ADMIN, row.site)
    kept = await delete(tree, f"communities/{row.id}", tree.manager)
    assert (kept.status_code, kept.json()["by"]) == (409, [what])
    assert kept.json()[what] == 1
    assert await Community.exists(id=row.id)


async def test_an_empty_community_is_deleted_by_its_company_alone(tree: Tree):
    row = await community(tree)
    path = f"communities/{row.id}"
    refused = [
        (await delete(tree, path, who)).status_code
        for who in (tree.root, tree.runner, tree.rival_runner)
    ]
    assert refused == [404, 403, 403]
    lacking = await tree.api.client.delete(f"/v1/{path}", headers=tree.manager)
    assert lacking.status_code == 422
    late = await tree.api.client.delete(f"/v1/{path}", headers=tree.manager | {"If-Match": '"7"'})
    assert late.status_code == 412
    assert (await delete(tree, path, tree.manager)).status_code == 204
    assert not await Community.exists(id=row.id)


async def test_operators_do_not_delete_each_others_companies(tree: Tree):
    foreign = await delete(tree, f"companies/{tree.other.id}", tree.rival_runner)
    assert (foreign.status_code, foreign.json()["type"]) == (404, "/problems/no-such-company")
    own = await delete(tree, f"operators/{tree.operator.id}", tree.runner)
    assert own.status_code == 403


async def test_nothing_is_made_in_a_company_that_is_being_deleted(api: Api, tree: Tree):
    """Either the community is there and the company too, or neither: never an orphan."""
    manager = await signed_in(api, "other-manager", Role.PROPERTY_ADMIN, tree.other.site)
    body: dict[str, Any] = {"name": "新小区", "region_code": "440306"}
    url = f"/v1/companies/{tree.other.id}/communities"
    known = await api.client.get(f"/v1/companies/{tree.other.id}", headers=manager)
    assert known.status_code == 200
    await RoleGrant.filter(company_id=tree.other.id).delete()  # its session lives on a little
    made, gone = await asyncio.gather(
        api.client.post(url, json=body, headers=manager),
        delete(tree, f"companies/{tree.other.id}", tree.runner),
    )
    there = await PropertyCompany.exists(id=tree.other.id)
    assert there is await Community.exists(company_id=tree.other.id)
    assert (made.status_code == 201) is there
    assert (gone.status_code == 409) is there
