"""Accounts of staff from Excel: made, refused, their passwords fetched once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx

from business_api import housekeeping
from business_api.accounts.first_passwords import KEPT
from business_api.accounts.models import Account, FirstPassword, RoleGrant
from business_api.authz.roles import Role
from foundation.models import AuditEvent
from tests.business_api.accounts.conftest import Ladder, Staff, hire, problem
from tests.business_api.conftest import Api, Estate
from tests.business_api.imports.workbooks import read, workbook
from tests.support.until import until

HEADER = ("用户名", "姓名", "角色", "联系电话")
ROWS = (
    ("wang", "王芳", "收款人员", "13800138000"),
    ("Li.Na", "李娜", "维修人员", None),
)


async def upload(
    staff: Staff, query: str, rows: Sequence[Sequence[Any]], header: Sequence[str] = HEADER
) -> httpx.Response:
    return await staff.api.client.post(
        f"/v1/imports?{query}", content=workbook(header, rows), headers=staff.headers
    )


async def done(
    staff: Staff, query: str, rows: Sequence[Sequence[Any]], header: Sequence[str] = HEADER
) -> dict[str, Any]:
    answer = await upload(staff, query, rows, header)
    assert answer.status_code == 202, answer.text
    path = f"/imports/{answer.json()['id']}"

    async def over() -> Any:
        found = (await staff.get(path)).json()
        return found if found["state"] not in ("queued", "running") else None

    async with staff.api.background():
        found: dict[str, Any] = await until(over, 60)
    return found


async def test_accounts_are_made_and_their_passwords_fetched_once(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    query = f"kind=staff&community_id={park.id}"
    job = await done(ladder.community, query, ROWS)
    assert (job["state"], job["created"], job["refused"]) == ("done", 2, 0)
    again = await done(ladder.community, query, ROWS)
    assert (again["created"], again["unchanged"]) == (0, 2)

    path = f"/imports/{job['id']}/first-passwords"
    sealed = [bytes(row.sealed) for row in await FirstPassword.all()]
    colleague = await hire(api, "colleague", Role.COMMUNITY_ADMIN, park.site)
    assert problem(await colleague.post(path)) == "no-first-passwords"
    sheet = read((await ladder.community.post(path)).content)
    assert sheet[0] == ["用户名", "姓名", "角色", "初始密码"]
    assert [row[:3] for row in sheet[1:]] == [
        ["li.na", "李娜", "repair_worker 柏树园"],
        ["wang", "王芳", "cashier 柏树园"],
    ]
    passwords = {row[0]: row[3] for row in sheet[1:]}
    assert problem(await ladder.community.post(path)) == "no-first-passwords"
    assert await FirstPassword.all().count() == 0
    assert not any(password.encode() in one for one in sealed for password in passwords.values())

    signed_in = await api.sign_in("wang", passwords["wang"])
    token = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    me = (await api.client.get("/v1/me", headers=token)).json()
    assert (me["must_change_password"], me["phone"]) == (True, "138****8000")
    assert me["roles"] == ["cashier"]
    lines = await AuditEvent.filter(action="account.create").order_by("seq")
    assert [(line.actor, line.community_id) for line in lines] == [
        (f"account/{park.admin.id}", park.id)
    ] * 2


async def test_rows_that_are_refused(
    api: Api, park: Estate, sibling: Estate, ladder: Ladder
) -> None:
    await api.account("taken", Role.CASHIER, sibling.site)
    rows = (
        ("taken", "王", "收款人员", None),
        ("a b", "王", "收款人员", None),
        ("13800138000", "王", "收款人员", None),
        ("boss", "王", "小区管理员", None),
        ("boss2", "王", "super_admin", None),
        ("phone", "王", "收款人员", "12"),
        ("", "王", "收款人员", None),
        ("twice", "王", "收款人员", None),
        ("TWICE", "王", "收款人员", None),
        ("=cmd", "王", "收款人员", None),
        ("long", "王" * 81, "收款人员", None),
    )
    job = await done(ladder.community, f"kind=staff&community_id={park.id}", rows)
    assert (job["created"], job["refused"]) == (1, 10)
    errors = (await ladder.community.get(f"/imports/{job['id']}/errors?size=100")).json()["items"]
    assert [row["codes"] for row in errors] == [
        ["username-taken"],
        ["bad-username"],
        ["bad-username"],
        ["not-a-choice"],
        ["not-a-choice"],
        ["bad-phone"],
        ["missing"],
        ["twice"],
        ["bad-username"],
        ["too-long"],
    ]
    assert await Account.filter(username="twice").count() == 1


async def test_a_dry_run_makes_nobody(api: Api, park: Estate, ladder: Ladder) -> None:
    query = f"kind=staff&community_id={park.id}&dry_run=true"
    job = await done(ladder.community, query, ROWS)
    assert job["created"] == 2
    assert not await Account.exists(username="wang")
    assert await FirstPassword.all().count() == 0


async def test_the_levels_above(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    header = ("用户名", "姓名", "角色", "小区")
    rows = (
        ("a1", "甲", "小区管理员", "柏树园"),
        ("a2", "乙", "房屋审核员", "松树园"),
        ("a3", "丙", "小区管理员", "别处"),
    )
    query = f"kind=community-admins&company_id={park.company.id}"
    job = await done(ladder.company, query, rows, header)
    assert (job["created"], job["refused"]) == (2, 1)
    grant = await RoleGrant.get(account__username="a2")
    assert (grant.role, grant.scope_id) == (Role.HOUSE_REVIEWER, sibling.id)
    header = ("用户名", "姓名", "角色", "物业公司")
    query = f"kind=property-admins&operator_id={park.site.operator_id}"
    job = await done(ladder.operator, query, [("b1", "丁", "物业公司管理员", "物业甲")], header)
    assert job["created"] == 1
    # An operator's admin has community admins to give, and sends them one level down only.
    query = f"kind=community-admins&company_id={elsewhere.company.id}"
    refused = await upload(ladder.company, query, rows, header)
    assert refused.status_code == 404
    query = f"kind=staff&community_id={sibling.id}"
    assert (await upload(ladder.community, query, ROWS)).status_code == 404
    # A property admin may send to a community of its own, but not what only its admin gives.
    job = await done(ladder.company, f"kind=staff&community_id={park.id}", ROWS)
    assert (job["created"], job["refused"]) == (0, 2)


async def test_who_lost_the_role_meanwhile_makes_nobody(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    query = f"kind=staff&community_id={park.id}"
    answer = await upload(ladder.community, query, ROWS)
    await RoleGrant.filter(account_id=park.admin.id).update(valid_to=api.time())
    other = await hire(api, "colleague", Role.COMMUNITY_ADMIN, park.site)

    async def over() -> Any:
        found = await other.get(f"/imports/{answer.json()['id']}")
        assert found.status_code == 200, found.text
        return found.json() if found.json()["state"] == "failed" else None

    async with api.background():
        job = await until(over, 60)
    assert job["created"] == 0
    assert not await Account.exists(username="wang")


async def test_a_password_set_anew_is_not_handed_out(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    job = await done(ladder.community, f"kind=staff&community_id={park.id}", ROWS)
    wang = await Account.get(username="wang")
    assert (await ladder.community.post(f"/accounts/{wang.id}/password", {})).status_code == 200
    sheet = read((await ladder.community.post(f"/imports/{job['id']}/first-passwords")).content)
    assert [row[0] for row in sheet[1:]] == ["li.na"]


async def test_nobody_fetches_them_later(api: Api, park: Estate, ladder: Ladder) -> None:
    await done(ladder.community, f"kind=staff&community_id={park.id}", ROWS)
    api.time.ahead = KEPT * 1.01
    await housekeeping.forget(api.context)
    assert await FirstPassword.all().count() == 0


async def test_a_password_of_somebody_who_got_more_since_is_not_handed_out(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    job = await done(ladder.community, f"kind=staff&community_id={park.id}", ROWS)
    wang = await Account.get(username="wang")
    await api.grant(wang, Role.COMMUNITY_ADMIN, sibling.site)
    over = await api.grant(await Account.get(username="li.na"), Role.CASHIER, elsewhere.site)
    over.valid_from = api.time()
    over.valid_to = api.time() + timedelta(microseconds=1)
    await over.save()
    path = f"/imports/{job['id']}/first-passwords"
    sheet = read((await ladder.community.post(path)).content)
    assert [row[:3] for row in sheet[1:]] == [["li.na", "李娜", "repair_worker 柏树园"]]
    assert problem(await ladder.community.post(path)) == "no-first-passwords"
    assert await FirstPassword.filter(account_id=wang.id).count() == 1
