"""Accounts of staff: made, listed, edited, reset, shut out; and by whom not."""

import json
from datetime import timedelta

import pytest
import structlog
from tortoise.transactions import in_transaction

from business_api.accounts import management
from business_api.accounts.errors import ResidentsAccount
from business_api.accounts.models import Account, RoleGrant
from business_api.actors import Actor
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.idempotency_models import IdempotencyRecord
from business_api.people.models import Person
from business_api.tenancy import place
from device_registry.access.models import RemoteSuspension
from foundation import db, fence
from foundation.ids import new_id
from foundation.models import AuditEvent
from tests.business_api.accounts.conftest import Ladder, Staff, cashier, hire, problem
from tests.business_api.conftest import PASSWORD, Api, Estate, bearer
from tests.support.statements import statements

NEW = "a sentence nobody says"


async def made(ladder: Ladder, park: Estate, **changes: object) -> dict[str, object]:
    answer = await ladder.community.post("/accounts", cashier(park, **changes))
    assert answer.status_code == 201, answer.text
    shown: dict[str, object] = answer.json()
    return shown


async def test_a_first_password_is_shown_once_and_has_to_be_changed(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    shown = await made(ladder, park, phone="13800138000")
    assert shown["username"] == "wang"
    assert shown["phone"] == "138****8000"
    assert shown["must_change_password"] is True
    assert shown["may_manage"] is True
    (grant,) = shown["grants"]  # type: ignore[misc]
    assert (grant["role"], grant["scope_name"], grant["live"]) == ("cashier", "柏树园", True)
    password = str(shown["password"])
    assert len(password) >= 16

    tokens = (await api.sign_in("wang", password)).json()
    headers = bearer(tokens["access_token"])
    refused = await api.client.get("/v1/auth/sessions", headers=headers)
    assert refused.status_code == 403
    assert problem(refused) == "password-change-needed"
    assert (await api.client.get("/v1/accounts", headers=headers)).status_code == 403
    me = (await api.client.get("/v1/me", headers=headers)).json()
    assert me["must_change_password"] is True
    same = {"current": password, "new": password}
    answer = await api.client.post("/v1/me/password", json=same, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (422, "unchanged")
    change = {"current": password, "new": NEW}
    answer = await api.client.post("/v1/me/password", json=change, headers=headers)
    assert answer.status_code == 204
    # In the same session, from the next request on.
    assert (await api.client.get("/v1/auth/sessions", headers=headers)).status_code == 200


async def test_who_must_change_may_leave(api: Api, park: Estate, ladder: Ladder) -> None:
    shown = await made(ladder, park, password=PASSWORD)
    assert shown["password"] is None
    headers = bearer((await api.tokens("wang"))["access_token"])
    assert (await api.client.post("/v1/auth/logout", headers=headers)).status_code == 204


async def test_nothing_of_it_is_kept_in_clear(api: Api, park: Estate, ladder: Ladder) -> None:
    with structlog.testing.capture_logs() as logs:
        key = {"Idempotency-Key": "k1"}
        first = await ladder.community.post("/accounts", cashier(park, phone="13800138000"), **key)
        again = await ladder.community.post("/accounts", cashier(park, phone="13800138000"), **key)
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    secret = first.json()["password"]
    (record,) = await IdempotencyRecord.all()
    account = await Account.get(username="wang")
    lines = [line.facts for line in await AuditEvent.all()]
    written = f"{record.response} {account.phone_sealed!r} {lines} {logs}"
    assert secret not in written
    assert "13800138000" not in written
    assert "38001380" not in written
    assert account.phone_index is None  # a resident may have the same number


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"username": "ADMIN"}, "username-taken"),
        ({"username": "a b"}, "bad-username"),
        ({"username": "13800138000"}, "bad-username"),
        ({"username": "x"}, "bad-username"),
        ({"username": "\u0000a"}, "invalid-request"),
        ({"name": "\ud800"}, "invalid-request"),
        ({"name": "x" * 10_000}, "invalid-request"),
        ({"phone": "12"}, "bad-phone"),
        ({"phone": "1" * 41}, "invalid-request"),
        ({"password": "short"}, "weak-password"),
        ({"password": "Password123456"}, "weak-password"),
        ({"password": "柏树园柏树园柏树园柏树园"}, "weak-password"),
        ({"role": "nobody"}, "invalid-request"),
        ({"role": "owner"}, "may-not-give"),
        ({"role": "neighbour"}, "may-not-give"),
        ({"role": "community_admin"}, "may-not-give"),
        ({"role": "super_admin", "community_id": None}, "may-not-give"),
        ({"role": "cashier", "community_id": None}, "may-not-give"),
        ({"building_id": "00000000-0000-0000-0000-000000000000"}, "one-place"),
        ({"kind": "admin"}, "invalid-request"),
    ],
)
async def test_accounts_that_are_not_made(
    api: Api, park: Estate, ladder: Ladder, changes: dict[str, object], refusal: str
) -> None:
    before = await Account.all().count()
    # By hand: half a surrogate pair cannot be sent as text.
    content = json.dumps(cashier(park, **changes)).encode()
    headers = park.headers | {"Content-Type": "application/json"}
    answer = await api.client.post("/v1/accounts", content=content, headers=headers)
    assert problem(answer) == refusal, answer.text
    assert await Account.all().count() == before
    assert await RoleGrant.all().count() == 4


async def test_scopes_that_are_somebody_elses(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    tries = (
        (ladder.community, "cashier", "community_id", sibling.id, 404, "no-such-community"),
        (ladder.community, "cashier", "community_id", new_id(), 404, "no-such-community"),
        (ladder.community, "house_reviewer", "building_id", sibling.tower.id, 404, None),
        (ladder.community, "house_reviewer", "building_id", elsewhere.tower.id, 404, None),
        (ladder.community, "cashier", "building_id", park.tower.id, 422, "bad-scope"),
        (ladder.community, "community_admin", "company_id", park.company.id, 404, None),
        (ladder.company, "community_admin", "community_id", elsewhere.id, 404, None),
        (ladder.company, "property_admin", "company_id", park.company.id, 403, "may-not-give"),
        (ladder.company, "community_admin", "company_id", park.company.id, 422, "bad-scope"),
        (ladder.company, "cashier", "community_id", park.id, 403, "may-not-give"),
        (ladder.operator, "operator_admin", "operator_id", park.site.operator_id, 403, None),
        (ladder.root, "property_admin", "company_id", park.company.id, 403, "may-not-give"),
        (ladder.root, "operator_admin", "company_id", park.company.id, 422, "bad-scope"),
    )
    for actor, role, level, scope_id, status, refusal in tries:
        body = {"username": "wang", "name": "王", "role": role, level: str(scope_id)}
        answer = await actor.post("/accounts", body)
        assert answer.status_code == status, (role, level, answer.text)
        assert refusal is None or problem(answer) == refusal
    assert not await Account.exists(username="wang")


async def test_the_ladder_down_to_a_reviewer_of_one_building(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    steps = (
        (ladder.root, "operator_admin", "operator_id", park.site.operator_id),
        (ladder.operator, "property_admin", "company_id", park.company.id),
        (ladder.operator, "o2o_operator", "community_id", park.id),
        (ladder.company, "community_admin", "community_id", park.id),
        (ladder.community, "installer", "community_id", park.id),
        (ladder.community, "house_reviewer", "building_id", park.tower.id),
    )
    for number, (actor, role, level, scope_id) in enumerate(steps):
        body = {"username": f"new{number}", "name": "新", "role": role, level: str(scope_id)}
        answer = await actor.post("/accounts", body)
        assert answer.status_code == 201, answer.text
    last = answer.json()["grants"][0]
    assert (last["scope_type"], last["scope_name"]) == ("building", "1号楼")
    row = await RoleGrant.get(id=last["id"])
    assert (row.community_id, row.granted_by) == (park.id, park.admin.id)


async def test_a_list_shows_reach_and_no_more(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    await hire(api, "wang", Role.CASHIER, park.site)
    both = await api.account("both", Role.HOUSE_REVIEWER, park.tower.site)
    await api.grant(both, Role.REPAIR_WORKER, elsewhere.site)
    await api.resident("zhang", park.flat)

    async def names(actor: Staff, query: str = "") -> set[str]:
        answer = (await actor.get(f"/accounts?size=100{query}")).json()
        assert answer["total"] == len(answer["items"])
        return {row["username"] for row in answer["items"]}

    here = {"admin", "wang", "both"}
    assert await names(ladder.community) == here
    assert await names(ladder.company) == here | {"company", "sibling-admin"}
    assert await names(ladder.operator) == here | {
        *("company", "sibling-admin", "operator", "other-admin")
    }
    assert await names(ladder.root) >= {"root", "other-admin"}
    assert "zhang" not in await names(ladder.root)  # who only lives here is not staff
    assert await names(ladder.company, f"&community_id={sibling.id}") == {"sibling-admin"}
    assert await names(ladder.community, f"&community_id={sibling.id}") == set()
    assert await names(ladder.company, "&role=house_reviewer") == {"both"}
    assert await names(ladder.company, "&search=ANG") == {"wang"}
    assert await names(ladder.company, "&search=%25") == set()
    assert await names(ladder.company, "&disabled=true") == set()
    row = (await ladder.community.get("/accounts?search=both")).json()["items"][0]
    assert [grant["role"] for grant in row["grants"]] == ["house_reviewer"]  # not elsewhere's
    assert row["may_manage"] is False
    worker = await hire(api, "worker", Role.REPAIR_WORKER, park.site)
    assert (await worker.get("/accounts")).status_code == 403


async def test_a_list_costs_the_same_however_long(api: Api, park: Estate, ladder: Ladder) -> None:
    costs = []
    for count in (1, 6):
        for number in range(count):
            await api.account(f"w{count}-{number}", Role.CASHIER, park.site)
        await ladder.community.get("/me")
        with statements() as sql:
            await ladder.community.get("/accounts?size=100")
        costs.append(len(sql))
    assert costs[0] == costs[1]


async def test_whose_accounts_may_be_managed(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    both = await api.account("both", Role.CASHIER, park.site)
    await api.grant(both, Role.CASHIER, sibling.site)
    later = await api.account("later", Role.CASHIER, park.site)
    promoted = await api.grant(later, Role.COMMUNITY_ADMIN, park.site)
    promoted.valid_from = api.time().replace(year=api.time().year + 1)
    await promoted.save()
    lives = await api.resident("lives", park.flat)
    await api.grant(lives, Role.CASHIER, park.site)
    resident = await api.resident("zhang", park.flat)
    boss, root = ladder.company.account, ladder.root.account
    foreign = elsewhere.admin

    tries = (
        (ladder.community, worker, None),
        (ladder.community, both, "may-not-manage"),
        (ladder.community, later, "may-not-manage"),
        (ladder.community, lives, "residents-account"),
        (ladder.community, resident, "no-such-account"),
        (ladder.community, park.admin, "not-yourself"),
        (ladder.community, boss, "no-such-account"),
        (ladder.community, foreign, "no-such-account"),
        (ladder.community, sibling.admin, "no-such-account"),
        (ladder.community, root, "no-such-account"),
        (ladder.company, park.admin, None),
        (ladder.company, worker, "may-not-manage"),
        (ladder.company, boss, "not-yourself"),
        (ladder.company, foreign, "no-such-account"),
        (ladder.operator, park.admin, None),
        (ladder.operator, boss, None),
        (ladder.operator, root, "no-such-account"),
        (ladder.root, ladder.operator.account, None),
        (ladder.root, boss, "may-not-manage"),
        (ladder.root, root, "not-yourself"),
    )
    acts = (
        ("POST", "/password", {"password": NEW}),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
        ("POST", "/second-factor/reset", None),
        ("PATCH", "", {"name": "x"}),
    )
    for actor, account, refusal in tries:
        if refusal is None:
            continue
        for method, path, body in acts:
            answer = await actor.ask(
                method, f"/accounts/{account.id}{path}", body, **{"If-Match": '"1"'}
            )
            assert problem(answer) == refusal, (actor.account.username, account.username, path)
        now = await Account.get(id=account.id)
        assert (now.password_hash, now.disabled_at) == (account.password_hash, None)
        assert now.name == account.name
    for actor, account, refusal in tries:
        if refusal is None:
            answer = await actor.post(f"/accounts/{account.id}/enable")
            assert answer.status_code == 204, (actor.account.username, account.username)


async def test_who_holds_nothing_is_managed_by_who_could_give_all_it_held(
    api: Api, park: Estate, sibling: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    async def held(account: Account, **period: object) -> None:
        await RoleGrant.filter(account_id=account.id).update(**period)

    over = {"valid_to": api.time() - timedelta(minutes=1)}
    worker = await api.account("worker", Role.CASHIER, park.site)
    await api.grant(worker, Role.COMMUNITY_ADMIN, elsewhere.site)
    former = await api.account("former", Role.CASHIER, park.site)
    await api.grant(former, Role.INSTALLER, park.site)
    for account in (worker, former):
        await held(account, **over)
    path = f"/accounts/{worker.id}"
    for method, act, body in (
        ("POST", "/password", {"password": NEW}),
        ("POST", "/disable", None),
        ("PATCH", "", {"name": "x"}),
    ):
        answer = await ladder.community.ask(method, path + act, body, **{"If-Match": '"1"'})
        assert problem(answer) == "may-not-manage", act
    assert (await ladder.community.get(path)).json()["may_manage"] is False
    assert (await ladder.community.post(f"/accounts/{former.id}/password", {})).status_code == 200


async def test_who_became_a_resident_after_the_first_look(
    api: Api, park: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    """An approval between the check and the lock, at a place behind the actor's fence."""
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    row = await RoleGrant.get(account_id=park.admin.id)
    actor = Actor(park.admin.id, new_id(), "", api.time(), (row.grant,))
    await management.managed(actor, worker.id)
    await Person.create(
        account_id=worker.id, name="工", created_at=api.time(), **place(elsewhere.site)
    )
    with fence.none():
        fence.put_up([park.id])
        async with in_transaction():
            with pytest.raises(ResidentsAccount):
                await management.locked(actor, worker.id)
            # And the fence stands again.
            outside = await Person.filter(community_id=elsewhere.id).count()
            assert outside == (0 if db.is_postgres() else 1)


async def test_a_password_reset_throws_everybody_out(
    api: Api, park: Estate, ladder: Ladder
) -> None:
    worker = await hire(api, "worker", Role.REPAIR_WORKER, park.site)
    path = f"/accounts/{worker.account.id}/password"
    weak = await ladder.community.post(path, {"password": "123456789012"})
    assert problem(weak) == "weak-password"
    assert (await worker.get("/me")).status_code == 200
    answer = await ladder.community.post(path, {})
    password = answer.json()["password"]
    assert (await worker.get("/me")).status_code == 401
    assert (await api.sign_in("worker")).status_code == 401
    tokens = (await api.sign_in("worker", password)).json()
    refused = await api.client.get("/v1/me/permissions", headers=bearer(tokens["access_token"]))
    assert problem(refused) == "password-change-needed"
    given = await ladder.community.post(path, {"password": NEW})
    assert given.json() == {"password": None}
    assert (await api.sign_in("worker", NEW)).status_code == 200


async def test_a_disabled_account_opens_nothing(api: Api, park: Estate, ladder: Ladder) -> None:
    worker = await hire(api, "worker", Role.REPAIR_WORKER, park.site)
    path = f"/accounts/{worker.account.id}"
    for _ in range(2):
        assert (await ladder.community.post(f"{path}/disable")).status_code == 204
        assert (await worker.get("/me")).status_code == 401
        assert await RemoteSuspension.exists(person_id=worker.account.id)
        assert (await api.sign_in("worker")).status_code == 401
    shown = (await ladder.community.get("/accounts?disabled=true")).json()
    assert [row["username"] for row in shown["items"]] == ["worker"]
    assert (await ladder.community.post(f"{path}/enable")).status_code == 204
    assert not await RemoteSuspension.exists(person_id=worker.account.id)
    assert (await api.sign_in("worker")).status_code == 200
    lines = await AuditEvent.filter(action__in=["account.disable", "account.enable"])
    assert {(line.community_id, line.actor) for line in lines} == {
        (park.id, f"account/{park.admin.id}")
    }


async def test_an_edit_is_made_on_what_was_read(api: Api, park: Estate, ladder: Ladder) -> None:
    shown = await made(ladder, park, phone="13800138000")
    path = f"/accounts/{shown['id']}"
    tag = (await ladder.community.get(path)).headers["etag"]
    assert (await ladder.community.ask("PATCH", path, {"name": "王方"})).status_code == 422
    edited = await ladder.community.ask(
        "PATCH", path, {"name": "王方", "phone": ""}, **{"If-Match": tag}
    )
    assert (edited.json()["name"], edited.json()["phone"]) == ("王方", None)
    assert edited.headers["etag"] != tag
    stale = await ladder.community.ask("PATCH", path, {"name": "x"}, **{"If-Match": tag})
    assert stale.status_code == 412
    (line,) = await AuditEvent.filter(action="account.change")
    assert line.facts["changed"] == ["name", "phone"]
    assert "王" not in str(line.facts)


async def test_a_person_makes_an_account_a_residents_anywhere(
    api: Api, park: Estate, elsewhere: Estate, ladder: Ladder
) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    await Person.create(
        account_id=worker.id, name="工", created_at=api.time(), **place(elsewhere.site)
    )
    answer = await ladder.community.post(f"/accounts/{worker.id}/disable")
    assert problem(answer) == "residents-account"
    (grant,) = await RoleGrant.filter(account_id=worker.id)
    taken = await ladder.community.ask("DELETE", f"/grants/{grant.id}")
    assert taken.status_code == 204


async def test_who_registered_by_phone_is_its_own(api: Api, park: Estate, ladder: Ladder) -> None:
    worker = await api.account("worker", Role.REPAIR_WORKER, park.site)
    await Account.filter(id=worker.id).update(phone_index="x" * 64)
    for path, body in (("/password", {"password": NEW}), ("/disable", None)):
        answer = await ladder.community.post(f"/accounts/{worker.id}{path}", body)
        assert problem(answer) == "residents-account"


async def test_ids_of_nothing(api: Api, park: Estate, ladder: Ladder) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/grants"),
        ("POST", "/disable"),
        ("POST", "/enable"),
        ("POST", "/second-factor/reset"),
    ):
        answer = await ladder.community.ask(method, f"/accounts/{new_id()}{path}")
        assert (answer.status_code, problem(answer)) == (404, "no-such-account")
    assert (await ladder.community.get("/accounts/x")).status_code == 422


def test_sites_of_grants() -> None:
    row = RoleGrant(role=Role.SUPER_ADMIN, scope_type="platform")
    assert row.site == Site()
