"""`/v1/authz/explain` and `/v1/me/permissions`."""

from datetime import timedelta

from business_api.accounts import accounts, sessions
from business_api.accounts.models import RoleGrant
from business_api.authz.roles import ROLES, Role
from foundation.ids import new_id
from tests.business_api.accounts.conftest import Ladder, Staff, hire, problem
from tests.business_api.conftest import Api, Estate


async def told(staff: Staff, permission: str, **ids: object) -> dict[str, object]:
    query = "".join(f"&{name}={value}" for name, value in ids.items())
    answer = await staff.get(f"/authz/explain?permission={permission}{query}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, object] = answer.json()
    return shown


async def test_why(api: Api, park: Estate, sibling: Estate, ladder: Ladder) -> None:
    admin = ladder.community
    shown = await told(admin, "house.manage", house_id=park.flat.id)
    assert (shown["allowed"], shown["why"], shown["visible"]) == (True, "granted", True)
    assert shown["by"] == {
        "role": "community_admin",
        "scope_type": "community",
        "scope_id": str(park.id),
        "scope_name": "柏树园",
        "valid_from": None,
        "valid_to": None,
    }
    shown = await told(ladder.company, "house.manage", building_id=park.tower.id)
    assert (shown["allowed"], shown["why"], shown["visible"]) == (False, "role", True)
    shown = await told(admin, "house.manage", community_id=sibling.id)
    assert (shown["allowed"], shown["why"], shown["visible"]) == (False, "elsewhere", False)
    shown = await told(ladder.company, "company.view", company_id=park.company.id)
    assert shown["why"] == "granted"
    shown = await told(ladder.operator, "company.view", operator_id=park.site.operator_id)
    assert shown["why"] == "granted"
    assert (await told(ladder.root, "operator.manage"))["why"] == "granted"
    assert (await told(admin, "operator.manage"))["why"] == "role"

    own = await RoleGrant.get(account_id=park.admin.id)
    own.valid_to = api.time() + timedelta(minutes=1)
    await own.save()
    api.context.wake.kick(sessions.TOPIC)
    api.time.ahead = timedelta(minutes=2)
    shown = await told(admin, "house.manage", house_id=park.flat.id)
    assert (shown["allowed"], shown["why"], shown["visible"]) == (False, "expired", False)


async def test_nobody_learns_what_there_is(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    await api.resident("zhang", park.flat)
    zhang = Staff(api, park.admin, await api.headers("zhang"))
    for staff in (ladder.community, zhang):
        for level, ids in {
            "house_id": (sibling.flat.id, elsewhere.home.id),
            "building_id": (sibling.tower.id, elsewhere.villa.id),
            "community_id": (sibling.id, elsewhere.id),
            "company_id": (elsewhere.company.id,),
        }.items():
            for permission in ("house.view", "house.manage", "company.manage"):
                nothing = await told(staff, permission, **{level: new_id()})
                for one in ids:
                    assert await told(staff, permission, **{level: one}) == nothing
    answer = await ladder.root.get(f"/authz/explain?permission=account.view&house_id={new_id()}")
    assert problem(answer) == "not-found"


async def test_a_residents_rights_come_from_the_home(api: Api, park: Estate) -> None:
    account = await api.resident("zhang", park.flat)
    zhang = Staff(api, account, await api.headers("zhang"))
    shown = await told(zhang, "door.open", house_id=park.flat.id)
    assert (shown["allowed"], shown["by"]["role"]) == (True, "owner")  # type: ignore[index]
    assert shown["by"]["scope_name"] == "1号楼 1单元 0101"  # type: ignore[index]
    shown = await told(zhang, "door.open", house_id=park.home.id)
    assert (shown["allowed"], shown["why"], shown["visible"]) == (False, "elsewhere", False)


async def test_of_somebody_else(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    both = await api.account("both", Role.CASHIER, park.site)
    await api.grant(both, Role.COMMUNITY_ADMIN, sibling.site)
    admin = ladder.community
    shown = await told(admin, "house.view", account_id=both.id, house_id=park.flat.id)
    assert (shown["allowed"], shown["by"]["role"]) == (True, "cashier")  # type: ignore[index]
    # What it may elsewhere is not this admin's to ask.
    for level, one in (("community_id", sibling.id), ("house_id", new_id()), ("x", "")):
        query = f"permission=house.view&account_id={both.id}&{level}={one}"
        answer = await admin.get(f"/authz/explain?{query}")
        assert problem(answer) == "not-found"
    # Nor that there is a role elsewhere which would do it.
    shown = await told(admin, "house.manage", account_id=both.id, community_id=park.id)
    assert (shown["allowed"], shown["why"], shown["by"]) == (False, "role", None)
    shown = await told(ladder.company, "house.manage", account_id=both.id, community_id=park.id)
    assert shown["by"]["scope_name"] == "松树园"  # type: ignore[index]
    for account in (elsewhere.admin, sibling.admin, ladder.root.account):
        query = f"permission=house.view&account_id={account.id}&community_id={park.id}"
        assert problem(await admin.get(f"/authz/explain?{query}")) == "no-such-account"
    worker = await hire(api, "worker", Role.CASHIER, park.site)
    query = f"permission=house.view&account_id={both.id}&community_id={park.id}"
    assert problem(await worker.get(f"/authz/explain?{query}")) == "no-such-account"
    await accounts.disable(api.context, "shell", both.id)
    shown = await told(admin, "house.view", account_id=both.id, house_id=park.flat.id)
    assert (shown["allowed"], shown["disabled"], shown["why"]) == (False, True, "granted")


async def test_nobody_learns_where_staff_live(
    api: Api, park: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    clerk = await api.account("clerk", Role.CASHIER, park.site)
    questions = [
        (staff, permission, {"account_id": clerk.id, level: place})
        for staff in (ladder.community, ladder.company, ladder.operator)
        for permission in ("door.open", "resident.end", "house.view")
        for level, place in (("community_id", park.id), ("house_id", park.flat.id))
    ]

    async def answers() -> list[dict[str, object]]:
        return [await told(staff, permission, **ids) for staff, permission, ids in questions]

    nowhere = await answers()
    await api.resident("clerk", elsewhere.flat)
    assert await answers() == nowhere
    await api.resident("clerk", park.flat)
    assert await answers() == nowhere


async def test_questions_that_are_none(api: Api, park: Estate, ladder: Ladder) -> None:
    for query, refusal in (
        ("", "invalid-request"),
        ("permission=fly", "invalid-request"),
        ("permission=house.view&house_id=x", "invalid-request"),
        (f"permission=house.view&house_id={park.flat.id}&community_id={park.id}", "one-place"),
    ):
        assert problem(await ladder.community.get(f"/authz/explain?{query}")) == refusal


async def test_my_permissions(api: Api, park: Estate, ladder: Ladder) -> None:
    lives = await api.resident("lives", park.flat)
    await api.grant(lives, Role.HOUSE_REVIEWER, park.tower.site)
    staff = Staff(api, lives, await api.headers("lives"))
    shown = (await staff.get("/me/permissions")).json()
    assert [(one["at"]["role"], one["at"]["scope_name"]) for one in shown["roles"]] == [
        ("house_reviewer", "1号楼"),
        ("owner", "1号楼 1单元 0101"),
        ("neighbour", "柏树园"),
    ]
    roles = (Role.HOUSE_REVIEWER, Role.OWNER, Role.NEIGHBOUR)
    assert shown["permissions"] == sorted({one for role in roles for one in ROLES[role]})
    assert shown["roles"][0]["may_give"] == []
    shown = (await ladder.company.get("/me/permissions")).json()
    assert shown["roles"][0]["may_give"] == ["community_admin", "house_reviewer"]
    nobody = Staff(api, lives, {})
    assert (await nobody.get("/me/permissions")).status_code == 401
