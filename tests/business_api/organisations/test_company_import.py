from typing import Any

from business_api.organisations.models import PropertyCompany
from tests.business_api.imports.workbooks import read, workbook
from tests.business_api.organisations.conftest import Tree
from tests.support.until import until

HEADER = ("公司名称", "联系电话", "公司地址", "联系人", "业主委员会")


async def imported(tree: Tree, rows: list[tuple[Any, ...]], **query: str) -> dict[str, Any]:
    asked = {"kind": "companies", "operator_id": str(tree.operator.id)} | query
    answer = await tree.api.client.post(
        "/v1/imports", params=asked, content=workbook(HEADER, rows), headers=tree.runner
    )
    assert answer.status_code == 202, answer.text
    path = f"/v1/imports/{answer.json()['id']}"

    async def over() -> Any:
        found = (await tree.api.client.get(path, headers=tree.runner)).json()
        return found if found["state"] not in ("queued", "running") else None

    async with tree.api.background():
        found: dict[str, Any] = await until(over, 60)
    return found


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in ("created", "updated", "unchanged", "refused"))


ROWS: list[tuple[Any, ...]] = [
    ("安居物业", "0755-83201234", "深南大道 1 号", "王经理", "否"),
    ("柏树园业委会", None, None, "李主任", "是"),
    ("物业甲", "13800138000", None, None, None),
    ("安居物业", "13800138000", None, None, None),
    ("坏电话", "12", None, None, None),
    (None, "13800138000", None, None, None),
    ("不知道", None, None, None, "也许"),
]


async def test_companies_come_from_a_workbook_once(tree: Tree):
    assert counts(await imported(tree, ROWS, dry_run="true")) == (2, 1, 0, 4)
    assert await PropertyCompany.all().count() == 2
    found = await imported(tree, ROWS)
    assert (found["state"], counts(found)) == ("done", (2, 1, 0, 4))
    new = await PropertyCompany.get(name="安居物业")
    assert (new.phone, new.operator_id, new.version) == ("+8675583201234", tree.operator.id, 1)
    assert new.created_by is not None
    assert (await PropertyCompany.get(name="柏树园业委会")).is_owner_committee
    there = await PropertyCompany.get(name="物业甲")
    assert (there.id, there.phone, there.version) == (tree.company.id, "+8613800138000", 2)
    assert counts(await imported(tree, ROWS)) == (0, 0, 3, 4)
    assert await PropertyCompany.all().count() == 4
    workbook_ = await tree.api.client.get(
        f"/v1/imports/{found['id']}/errors.xlsx", headers=tree.runner
    )
    reasons = {str(row[0]): row[5] for row in read(workbook_.content)[1:]}
    assert reasons == {
        "安居物业": "与第 2 行重复",
        "坏电话": "联系电话：电话号码格式不正确",
        "": "公司名称：必填",
        "不知道": "业主委员会：不在可选项中",
    }


async def test_only_its_operator_imports(tree: Tree):
    for who, code in ((tree.rival_runner, 404), (tree.root, 403), (tree.manager, 403)):
        answer = await tree.api.client.post(
            "/v1/imports",
            params={"kind": "companies", "operator_id": str(tree.operator.id)},
            content=workbook(HEADER, ROWS),
            headers=who,
        )
        assert answer.status_code in (code, 404), answer.text
    template = await tree.api.client.get(
        "/v1/import-templates/companies.xlsx",
        params={"operator_id": str(tree.operator.id)},
        headers=tree.runner,
    )
    assert template.status_code == 200, template.text
    assert tuple(read(template.content)[0]) == ("公司名称*", *HEADER[1:])
