"""Roles: given and taken at places and for times, and what those try who may not."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from business_api.accounts import accounts, roles
from business_api.accounts.errors import (
    BadScope,
    BadTerm,
    FirstPasswordPending,
    LastSuperAdmin,
    NoSuchGrant,
)
from business_api.accounts.models import Account, RoleGrant
from business_api.authz.roles import MAY_GIVE, SCOPE, Role
from business_api.authz.scope import Site
from foundation.ids import new_id
from foundation.models import AuditEvent
from tests.business_api.accounts.conftest import Ladder, hire, problem
from tests.business_api.conftest import Api, Estate, bearer


async def test_a_role_holds_from_the_next_request_and_ends_with_the_next(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    worker = await hire(api, "worker", Role.REPAIR_WORKER, park.site)
    grants = f"/accounts/{worker.account.id}/grants"
    assert (await worker.get("/me/permissions")).status_code == 200  # and is remembered
    body = {"role": "installer", "community_id": str(park.id)}
    given = await ladder.community.post(grants, body)
    assert given.status_code == 201
    assert (await worker.get("/me")).json()["roles"] == ["repair_worker", "installer"]
    taken = await ladder.community.ask("DELETE", f"/grants/{given.json()['id']}")
    assert taken.status_code == 204
    assert (await worker.get("/me")).json()["roles"] == ["repair_worker"]
    again = await ladder.community.ask("DELETE", f"/grants/{given.json()['id']}")
    assert problem(again) == "no-such-grant"
    listed = (await ladder.community.get(grants)).json()
    assert [(row["role"], row["live"]) for row in listed["items"]] == [
        ("repair_worker", True),
        ("installer", False),
    ]
    lines = await AuditEvent.filter(action__startswith="role.").order_by("seq")
    assert [(line.action, line.community_id, line.facts["role"]) for line in lines] == [
        ("role.give", park.id, "installer"),
        ("role.take", park.id, "installer"),
    ]


async def test_a_role_for_a_time(api: Api, park: Estate, ladder: Ladder) -> None:
    worker = await hire(api, "worker", Role.REPAIR_WORKER, park.site)
    grants = f"/accounts/{worker.account.id}/grants"
    now = api.time()
    body = {
        "role": "installer",
        "community_id": str(park.id),
        "valid_from": (now + timedelta(minutes=1)).isoformat(),
        "valid_to": (now + timedelta(minutes=2)).isoformat(),
    }
    assert (await ladder.community.post(grants, body)).status_code == 201
    for minutes, held in ((0, False), (1.5, True), (2.5, False)):
        api.time.ahead = timedelta(minutes=minutes)
        shown = (await worker.get("/me")).json()["roles"]
        assert ("installer" in shown) is held, minutes
    # Given again, it is the same row with another period.
    del body["valid_from"], body["valid_to"]
    assert (await ladder.community.post(grants, body)).status_code == 201
    assert await RoleGrant.filter(role=Role.INSTALLER).count() == 1
    assert "installer" in (await worker.get("/me")).json()["roles"]


async def test_no_role_for_an_account_whose_password_somebody_else_knows(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    body = {"username": "wang", "name": "王", "role": "cashier", "community_id": str(park.id)}
    key = {"Idempotency-Key": "k"}
    made = (await ladder.community.post("/accounts", body, **key)).json()
    grants = f"/accounts/{made['id']}/grants"
    more = {"role": "community_admin", "community_id": str(park.id)}
    refused = await ladder.company.post(grants, more)
    assert (refused.status_code, problem(refused)) == (409, "first-password-pending")
    with pytest.raises(FirstPasswordPending):
        await roles.give(api.context, "shell", UUID(made["id"]), Role.COMMUNITY_ADMIN, park.site)
    again = (await ladder.community.post("/accounts", body, **key)).json()
    headers = bearer((await api.sign_in("wang", again["password"])).json()["access_token"])
    assert (await api.client.get("/v1/me", headers=headers)).json()["roles"] == ["cashier"]
    # Who set it may give what is its own to give, and once it is changed everybody may.
    own = {"role": "installer", "community_id": str(park.id)}
    assert (await ladder.community.post(grants, own)).status_code == 201
    await Account.filter(id=made["id"]).update(must_change_password=False)
    assert (await ladder.company.post(grants, more)).status_code == 201


async def test_nothing_given_outlasts_the_givers_own(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    end = api.time().replace(microsecond=0) + timedelta(hours=1)
    await RoleGrant.filter(account_id=park.admin.id).update(valid_to=end)
    body = {"username": "wang", "name": "王", "role": "cashier", "community_id": str(park.id)}
    made = (await ladder.community.post("/accounts", body)).json()
    assert datetime.fromisoformat(made["grants"][0]["valid_to"]) == end
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    grants = f"/accounts/{worker.id}/grants"
    body = {"role": "installer", "community_id": str(park.id)}
    for wanted, given in (
        (None, end),
        (end + timedelta(hours=1), end),
        (end - timedelta(minutes=1), end - timedelta(minutes=1)),
    ):
        period = {"valid_to": wanted.isoformat()} if wanted else {}
        answer = await ladder.community.post(grants, body | period)
        assert datetime.fromisoformat(answer.json()["valid_to"]) == given, wanted
    late = {"valid_from": (end + timedelta(hours=1)).isoformat()}
    assert problem(await ladder.community.post(grants, body | late)) == "bad-term"


@pytest.mark.parametrize(
    ("period", "refusal"),
    [
        ({"valid_to": "2020-01-01T00:00:00Z"}, "bad-term"),
        ({"valid_from": "2050-01-02T00:00:00Z", "valid_to": "2050-01-01T00:00:00Z"}, "bad-term"),
        ({"valid_to": "2050-01-01T00:00:00"}, "invalid-request"),
        ({"valid_to": "99999-01-01T00:00:00Z"}, "invalid-request"),
        ({"valid_to": 10**30}, "invalid-request"),
    ],
)
async def test_periods_that_are_none(
    api: Api, park: Estate, ladder: Ladder, period: dict[str, object], refusal: str
) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    body = {"role": "installer", "community_id": str(park.id)} | period
    answer = await ladder.community.post(f"/accounts/{worker.id}/grants", body)
    assert problem(answer) == refusal


async def test_nobody_gives_or_takes_from_itself(api: Api, park: Estate, ladder: Ladder) -> None:
    body = {"role": "cashier", "community_id": str(park.id)}
    answer = await ladder.community.post(f"/accounts/{park.admin.id}/grants", body)
    assert (answer.status_code, problem(answer)) == (403, "not-yourself")
    own = await RoleGrant.get(account_id=park.admin.id)
    answer = await ladder.community.ask("DELETE", f"/grants/{own.id}")
    assert (answer.status_code, problem(answer)) == (403, "not-yourself")
    assert await RoleGrant.filter(account_id=park.admin.id).count() == 1


async def test_what_is_tried_from_the_side(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    theirs = await api.account("theirs", Role.REPAIR_WORKER, sibling.site)
    grants = f"/accounts/{worker.id}/grants"
    tries = (
        # A sibling's place, another company's building, by who is admin here.
        (grants, {"role": "cashier", "community_id": str(sibling.id)}, 404),
        (grants, {"role": "house_reviewer", "building_id": str(elsewhere.tower.id)}, 404),
        (grants, {"role": "house_reviewer", "building_id": str(sibling.tower.id)}, 404),
        # Above oneself.
        (grants, {"role": "community_admin", "community_id": str(park.id)}, 403),
        (grants, {"role": "property_admin", "company_id": str(park.company.id)}, 404),
        (grants, {"role": "super_admin"}, 403),
        (grants, {"role": "owner", "building_id": str(park.tower.id)}, 403),
        # Somebody who works elsewhere.
        (f"/accounts/{theirs.id}/grants", {"role": "cashier", "community_id": str(park.id)}, 404),
        (f"/accounts/{new_id()}/grants", {"role": "cashier", "community_id": str(park.id)}, 404),
    )
    for path, body, status in tries:
        answer = await ladder.community.post(path, body)
        assert answer.status_code == status, (path, body, answer.text)
    assert await RoleGrant.filter(account_id__in=[worker.id, theirs.id]).count() == 2
    # And taking what is not theirs to take.
    for account, status in (
        (theirs, 404),
        (sibling.admin, 404),
        (ladder.company.account, 404),
        (ladder.root.account, 404),
    ):
        row = await RoleGrant.get(account_id=account.id)
        answer = await ladder.community.ask("DELETE", f"/grants/{row.id}")
        assert answer.status_code == status, account.username
    row = await RoleGrant.get(account_id=worker.id)
    answer = await ladder.company.ask("DELETE", f"/grants/{row.id}")
    assert (answer.status_code, problem(answer)) == (403, "may-not-give")
    assert (await ladder.community.ask("DELETE", f"/grants/{row.id}")).status_code == 204


async def test_a_role_that_is_over_gives_nothing(api: Api, park: Estate, ladder: Ladder) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    own = await RoleGrant.get(account_id=park.admin.id)
    own.valid_to = api.time() + timedelta(minutes=1)
    await own.save()
    body = {"role": "installer", "community_id": str(park.id)}
    api.time.ahead = timedelta(minutes=2)
    answer = await ladder.community.post(f"/accounts/{worker.id}/grants", body)
    assert answer.status_code == 404  # the account is out of its sight
    assert (await ladder.community.post("/accounts", body)).status_code == 403
    assert (await ladder.community.get("/accounts")).status_code == 403


async def test_an_admin_who_lost_the_role_gives_nothing_in_the_same_session(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    assert (await ladder.community.get("/accounts")).status_code == 200
    own = await RoleGrant.get(account_id=park.admin.id)
    assert (await ladder.company.ask("DELETE", f"/grants/{own.id}")).status_code == 204
    body = {"role": "installer", "community_id": str(park.id)}
    answer = await ladder.community.post(f"/accounts/{worker.id}/grants", body)
    assert answer.status_code == 404


async def test_a_repeated_request_gives_once(api: Api, park: Estate, ladder: Ladder) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    body = {"role": "installer", "community_id": str(park.id)}
    key = {"Idempotency-Key": "k"}
    path = f"/accounts/{worker.id}/grants"
    answers = [await ladder.community.post(path, body, **key) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert await AuditEvent.filter(action="role.give").count() == 1


async def test_gifts_at_once_make_one_row(api: Api, park: Estate, ladder: Ladder) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    body = {"role": "installer", "community_id": str(park.id)}
    path = f"/accounts/{worker.id}/grants"
    answers = await asyncio.gather(*(ladder.community.post(path, body) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert await RoleGrant.filter(account_id=worker.id, role=Role.INSTALLER).count() == 1


async def test_the_last_super_admin_stays(api: Api, park: Estate) -> None:
    root = await api.account("root", Role.SUPER_ADMIN)
    grant = await RoleGrant.get(account_id=root.id)
    for act in (
        lambda: roles.take(api.context, "shell", grant.id),
        lambda: accounts.disable(api.context, "shell", root.id),
        lambda: roles.give(
            *(api.context, "shell", root.id, Role.SUPER_ADMIN, Site()),
            valid_to=api.time() + timedelta(days=1),
        ),
    ):
        with pytest.raises(LastSuperAdmin):
            await act()
    second = await api.account("second", Role.SUPER_ADMIN)
    await accounts.disable(api.context, "shell", second.id)
    with pytest.raises(LastSuperAdmin):
        await accounts.disable(api.context, "shell", root.id)
    await accounts.enable(api.context, "shell", second.id)
    await roles.take(api.context, "shell", grant.id)
    with pytest.raises(LastSuperAdmin):
        await accounts.disable(api.context, "shell", second.id)
    with pytest.raises(NoSuchGrant):
        await roles.take(api.context, "shell", grant.id)


async def test_of_two_who_go_at_once_one_stays(api: Api, park: Estate) -> None:
    made = [await api.account(f"root{number}", Role.SUPER_ADMIN) for number in range(4)]
    held = {row.account_id: row.id for row in await RoleGrant.filter(role=Role.SUPER_ADMIN)}  # type: ignore[attr-defined]
    ends = [
        roles.take(api.context, "shell", held[made[0].id]),
        roles.take(api.context, "shell", held[made[1].id]),
        accounts.disable(api.context, "shell", made[2].id),
        accounts.disable(api.context, "shell", made[3].id),
    ]
    results = await asyncio.gather(*ends, return_exceptions=True)
    refused = [one for one in results if one is not None]
    assert [type(one) for one in refused] == [LastSuperAdmin]


async def test_a_super_admin_once_only(api: Api, park: Estate) -> None:
    root = await api.account("root", Role.SUPER_ADMIN)
    await roles.give(api.context, "shell", root.id, Role.SUPER_ADMIN, Site())
    assert await RoleGrant.filter(account_id=root.id).count() == 1


async def test_scopes_that_do_not_fit(api: Api, park: Estate) -> None:
    someone = await api.account("someone")
    for role in (Role.OWNER, Role.FAMILY, Role.TENANT, Role.VISITOR, Role.NEIGHBOUR):
        for site in (park.flat.site, park.site):
            with pytest.raises(BadScope):
                await roles.give(api.context, "shell", someone.id, role, site)
    for role, site in (
        (Role.SUPER_ADMIN, park.site),
        (Role.CASHIER, Site()),
        (Role.COMMUNITY_ADMIN, park.tower.site),
        (Role.HOUSE_REVIEWER, park.flat.site),
    ):
        with pytest.raises(BadScope):
            await roles.give(api.context, "shell", someone.id, role, site)
    with pytest.raises(BadTerm):
        await roles.give(
            *(api.context, "shell", someone.id, Role.CASHIER, park.site), valid_to=api.time()
        )


def test_no_role_gives_itself_or_what_somebody_lives_in() -> None:
    for giver, given in MAY_GIVE.items():
        assert giver not in given
        assert not given & roles.LIVED
        assert set(SCOPE) > given
