import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from business_api import housekeeping
from business_api.authz.roles import Role
from business_api.dictionary import items, seeds
from business_api.dictionary.models import DictItem, DictType
from tests.business_api.conftest import Api, Estate
from tests.business_api.organisations.conftest import Tree
from tests.support.statements import statements
from tests.support.until import until

WORD = {"code": "sports", "name_zh": "体育用品", "name_en": "Sports", "sort": 3}


@pytest.fixture
async def planted(tree: Tree) -> DictType:
    await seeds.plant(tree.api.context.clock)
    return await DictType.get(code="merchant_category")


async def add(tree: Tree, type_: DictType, who: dict[str, str], **other: Any) -> dict[str, Any]:
    url = f"/v1/dictionary/types/{type_.id}/items"
    answer = await tree.api.client.post(url, json=WORD | other, headers=who)
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


async def chosen(tree: Tree, who: dict[str, str], **query: str) -> dict[str, str]:
    params = {"type_code": "merchant_category"} | query
    answer = await tree.api.client.get("/v1/dictionary/choices", params=params, headers=who)
    assert answer.status_code == 200, answer.text
    return {row["code"]: row["name_zh"] for row in answer.json()}


async def test_planting_again_and_at_once_changes_nothing(api: Api):
    await asyncio.gather(*(seeds.plant(api.time) for _ in range(3)))
    assert await DictType.all().count() == len(seeds.SEEDS)
    wanted = sum(len(seed.items) for seed in seeds.SEEDS.values())
    assert await DictItem.all().count() == wanted
    await DictItem.filter(code="pets").delete()
    with statements() as sql:
        assert await seeds.plant(api.time) == 0
    assert len(sql) == 1, sql
    assert await DictItem.all().count() == wanted - 1


async def test_keeping_house_plants(api: Api):
    stop = asyncio.Event()
    keeping = asyncio.create_task(housekeeping.run(api.context, stop))
    await until(lambda: DictType.exists(code="ad_slot"))
    stop.set()
    await keeping


async def test_every_seed_has_a_code_and_two_names():
    for code, seed in seeds.SEEDS.items():
        for word in (code, *seed.items):
            assert word.replace("_", "").isalnum()
            assert word == word.lower()
        assert all(zh and en and zh != en for zh, en in (seed.name, *seed.items.values()))


async def test_an_operators_word_wins_over_the_platforms(tree: Tree, planted: DictType):
    before = await chosen(tree, tree.runner)
    assert before["pets"] == "宠物"
    own = {"operator_id": str(tree.operator.id)}
    await add(tree, planted, tree.runner, **own)
    await add(tree, planted, tree.runner, code="pets", name_zh="萌宠", **own)
    await add(tree, planted, tree.runner, code="laundry", enabled=False, **own)
    changed = {"sports": "体育用品", "pets": "萌宠"}
    wanted = {code: name for code, name in (before | changed).items() if code != "laundry"}
    assert await chosen(tree, tree.runner) == wanted
    assert await chosen(tree, tree.manager) == wanted
    assert await chosen(tree, tree.rival_runner) == before
    assert await chosen(tree, tree.root) == before
    assert await chosen(tree, tree.root, operator_id=str(tree.operator.id)) == wanted
    # Another's words are not had by asking for them.
    assert await chosen(tree, tree.rival_runner, operator_id=str(tree.operator.id)) == before


async def test_people_of_a_community_choose_from_their_operators_words(api: Api, park: Estate):
    await seeds.plant(api.time)
    type_ = await DictType.get(code="merchant_category")
    own = await DictItem.create(
        type=type_,
        operator_id=park.community.operator_id,
        owner=str(park.community.operator_id),
        code="pets",
        name_zh="萌宠",
        name_en="Pets",
        created_at=api.time(),
    )
    await api.resident("owner", park.flat)
    await api.account("repairer", Role.REPAIR_WORKER, park.tower.site)
    others = [await api.headers(username) for username in ("owner", "repairer")]
    for who in (park.headers, *others):
        url = "/v1/dictionary/choices?type_code=merchant_category"
        found = (await api.client.get(url, headers=who)).json()
        assert [row["name_zh"] for row in found if row["code"] == "pets"] == ["萌宠"]
        one = f"/v1/dictionary/items/{own.id}"
        assert (await api.client.get(one, headers=who)).status_code == 200
        assert (await api.client.patch(one, json={"sort": 1}, headers=who)).status_code == 403


async def test_words_of_another_operator_are_not_there(tree: Tree, planted: DictType):
    own = await add(tree, planted, tree.runner, operator_id=str(tree.operator.id))
    one = f"/v1/dictionary/items/{own['id']}"
    client, rival = tree.api.client, tree.rival_runner
    match = rival | {"If-Match": '"1"'}
    for answer in (
        await client.get(one, headers=rival),
        await client.patch(one, json={"sort": 1}, headers=match),
        await client.delete(one, headers=match),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-dict-item")
    url = f"/v1/dictionary/types/{planted.id}/items"
    for foreign in (tree.operator.id, uuid4()):
        body = WORD | {"operator_id": str(foreign)}
        answer = await client.post(url, json=body, headers=rival)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-operator")
    seen = await client.get("/v1/dictionary/items?search=sports", headers=rival)
    assert seen.json()["total"] == 0
    every = await client.get("/v1/dictionary/items?search=sports", headers=tree.root)
    assert every.json()["total"] == 1


async def test_an_operator_does_not_touch_what_is_everybodys(tree: Tree, planted: DictType):
    client, match = tree.api.client, tree.runner | {"If-Match": '"1"'}
    word = await DictItem.get(code="pets")
    refused = [
        await client.patch(f"/v1/dictionary/items/{word.id}", json={"sort": 9}, headers=match),
        await client.delete(f"/v1/dictionary/items/{word.id}", headers=match),
        await client.post(
            f"/v1/dictionary/types/{planted.id}/items", json=WORD, headers=tree.runner
        ),
        await client.post(
            "/v1/dictionary/types",
            json={"code": "mine", "name_zh": "我的", "name_en": "Mine"},
            headers=tree.runner,
        ),
        await client.patch(
            f"/v1/dictionary/types/{planted.id}", json={"name_en": "x"}, headers=match
        ),
        await client.delete(f"/v1/dictionary/types/{planted.id}", headers=match),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6


async def test_words_are_edited_and_deleted(tree: Tree, planted: DictType):
    own = await add(tree, planted, tree.runner, operator_id=str(tree.operator.id))
    url = f"/v1/dictionary/types/{planted.id}/items"
    twice = await tree.api.client.post(
        url, json=WORD | {"operator_id": str(tree.operator.id)}, headers=tree.runner
    )
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/dict-code-taken")
    one = f"/v1/dictionary/items/{own['id']}"
    seen = await tree.api.client.get(one, headers=tree.runner)
    assert (seen.headers["ETag"], seen.json()["type_code"]) == ('"1"', "merchant_category")
    match = tree.runner | {"If-Match": '"1"'}
    edit = {"name_zh": "运动", "enabled": False}
    changed = await tree.api.client.patch(one, json=edit, headers=match)
    assert changed.json() == own | edit | {"version": 2}
    late = await tree.api.client.delete(one, headers=match)
    assert late.status_code == 412
    gone = await tree.api.client.delete(one, headers=tree.runner | {"If-Match": '"2"'})
    assert gone.status_code == 204
    assert (await tree.api.client.get(one, headers=tree.runner)).status_code == 404


async def test_lists_are_the_super_admins(tree: Tree, planted: DictType):
    client, body = tree.api.client, {"code": "colour", "name_zh": "颜色", "name_en": "Colour"}
    made = (await client.post("/v1/dictionary/types", json=body, headers=tree.root)).json()
    twice = await client.post("/v1/dictionary/types", json=body, headers=tree.root)
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/dict-code-taken")
    one, match = f"/v1/dictionary/types/{made['id']}", tree.root | {"If-Match": '"1"'}
    changed = await client.patch(one, json={"name_en": "Colours"}, headers=match)
    assert changed.json()["name_en"] == "Colours"
    seen = (await client.get("/v1/dictionary/types?search=颜", headers=tree.manager)).json()
    assert [row["code"] for row in seen["items"]] == ["colour"]
    await add(tree, await DictType.get(id=UUID(made["id"])), tree.root)
    match = tree.root | {"If-Match": '"2"'}
    full = await client.delete(one, headers=match)
    assert (full.status_code, full.json()["items"]) == (409, 1)
    await DictItem.filter(type_id=made["id"]).delete()
    assert (await client.delete(one, headers=match)).status_code == 204
    builtin = await client.delete(
        f"/v1/dictionary/types/{planted.id}", headers=tree.root | {"If-Match": '"1"'}
    )
    assert (builtin.status_code, builtin.json()["type"]) == (409, "/problems/dict-type-in-use")


async def test_a_list_has_an_end(tree: Tree, planted: DictType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(items, "MOST", 1)
    own = {"operator_id": str(tree.operator.id)}
    await add(tree, planted, tree.runner, **own)
    url = f"/v1/dictionary/types/{planted.id}/items"
    full = await tree.api.client.post(
        url, json=WORD | own | {"code": "second"}, headers=tree.runner
    )
    assert (full.status_code, full.json()["type"]) == (409, "/problems/dict-type-full")


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "Capital"},
        {"code": "a" * 41},
        {"code": "a\x00"},
        {"name_zh": ""},
        {"sort": -1},
        {"sort": 10**400},
        {"enabled": None},
        {"operator_id": "x"},
    ],
)
async def test_bad_words_are_refused(tree: Tree, planted: DictType, wrong: dict[str, Any]):
    url = f"/v1/dictionary/types/{planted.id}/items"
    answer = await tree.api.client.post(url, json=WORD | wrong, headers=tree.root)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("number", [1, 5])
async def test_choosing_asks_the_same_number_of_statements(
    tree: Tree, planted: DictType, number: int
):
    for one in range(number):
        own = {"operator_id": str(tree.operator.id)}
        await add(tree, planted, tree.runner, code=f"word_{one}", **own)
    await chosen(tree, tree.manager)
    with statements() as sql:
        await chosen(tree, tree.manager)
    assert len(sql) == 3, sql
