"""An approval ends: taken away, moved out, or become another one."""

import asyncio
from datetime import timedelta

import pytest

from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from business_api.certification import jobs
from business_api.certification.models import Certification
from business_api.messages.models import Message
from business_api.people.models import Person as Known
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from tests.business_api.certification.applicants import Person, code, lives, owner, person, staff
from tests.business_api.conftest import Api, Estate


@pytest.fixture
async def wang(api: Api, park: Estate) -> Person:
    return await owner(api, park.flat)


@pytest.fixture
async def zhang(api: Api) -> Person:
    return await person(api, "zhang", "+8613811112222")


async def let_in(api: Api, park: Estate, who: Person, type_: str = "tenant") -> str:
    """The id of an approved application."""
    mine = await who.applied(park.flat, type_)
    answer = await who.confirm(mine, await code(api))
    assert answer.status_code == 200, answer.text
    return str(mine["id"])


async def state(id_: str) -> str:
    return (await Certification.get(id=id_)).state.value


async def test_an_owner_sends_a_member_away(api: Api, park: Estate, wang: Person, zhang: Person):
    id_ = await let_in(api, park, zhang)
    (member,) = (await wang.get("/me/household-requests", state="approved")).json()["items"]
    assert member["actions"] == ["revoke"]
    path = f"/certifications/{id_}/revoke"
    assert (await wang.post(path, {})).status_code == 422
    assert (await wang.post(path, {"reason": "租约到期"})).status_code == 204

    assert not await zhang.may_open(park.flat)
    assert (await zhang.get(f"/me/certifications/{id_}")).json()["state"] == "revoked"
    home = await Occupancy.get(person__account_id=zhang.account.id)
    assert (home.ended_at is not None, home.end_reason) == (True, "revoked")
    told = await Message.get(account_id=zhang.account.id, kind="certification.revoked")
    assert told.params["reason"] == "租约到期"
    assert (await wang.post(path, {"reason": "又一次"})).status_code == 409
    # And may come back, as somebody new.
    api.time.ahead += timedelta(minutes=2)
    assert (await zhang.applied(park.flat))["state"] == "wait_owner_code"


async def test_its_roles_end_at_once_too(api: Api, park: Estate, wang: Person, zhang: Person):
    id_ = await let_in(api, park, zhang)
    token = zhang.headers["Authorization"].removeprefix("Bearer ")

    async def may_open() -> bool:
        actor = await api.app.state.authenticator.actor(token)
        return bool(actor.may(Permission.DOOR_OPEN, park.flat.site))

    assert await may_open()
    await wang.post(f"/certifications/{id_}/revoke", {"reason": "租约到期"})
    assert not await may_open()


async def test_staff_may_send_anybody_away(api: Api, park: Estate, wang: Person, zhang: Person):
    id_ = await let_in(api, park, zhang)
    admin = Person(api, park.admin, park.headers, "")
    assert (
        await admin.post(f"/certifications/{id_}/revoke", {"reason": "误批"})
    ).status_code == 204
    assert not await zhang.may_open(park.flat)


async def test_members_send_nobody_away(api: Api, park: Estate, wang: Person, zhang: Person):
    id_ = await let_in(api, park, zhang)
    li = await lives(api, "li", park.flat, ResidentType.FAMILY)
    zhou = await lives(api, "zhou", park.home, ResidentType.OWNER)
    for who in (li, zhou, zhang):
        answer = await who.post(f"/certifications/{id_}/revoke", {"reason": "走"})
        assert answer.status_code == 404, who.account.username
    assert await zhang.may_open(park.flat)


async def test_owners_do_not_send_each_other_away(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    admin = Person(api, park.admin, park.headers, "")
    first = await zhang.applied(park.flat, "owner")
    assert (await admin.post(f"/certifications/{first['id']}/approve")).status_code == 200
    path = f"/certifications/{first['id']}/revoke"
    assert (await wang.post(path, {"reason": "走"})).status_code == 404
    # Nor one who came as a member, and whom staff have made an owner since.
    li = await person(api, "li", "+8613811113333")
    await Occupancy.filter(person__account_id=zhang.account.id).delete()
    second = await let_in(api, park, li, "family")
    await Occupancy.filter(person__account_id=li.account.id).update(type=ResidentType.OWNER)
    answer = await wang.post(f"/certifications/{second}/revoke", {"reason": "走"})
    assert answer.status_code == 403
    assert await li.may_open(park.flat)


async def test_an_approval_ends_with_the_occupancy(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    id_ = await let_in(api, park, zhang)
    home = await Occupancy.get(person__account_id=zhang.account.id)
    await moves.end(api.context, park.admin.username or "", home, "ended_by_staff")
    assert await state(id_) == "ended"
    steps = (await api.client.get(f"/v1/certifications/{id_}", headers=park.headers)).json()[
        "steps"
    ]
    assert [one["action"] for one in steps] == [None, "ask", "confirm", "end"]
    assert not await zhang.may_open(park.flat)


async def test_a_revocation_is_not_an_end(api: Api, park: Estate, wang: Person, zhang: Person):
    id_ = await let_in(api, park, zhang)
    home = await Occupancy.get(person__account_id=zhang.account.id)
    answer, _ = await asyncio.gather(
        wang.post(f"/certifications/{id_}/revoke", {"reason": "走"}),
        moves.end(api.context, "platform", home, "ended_by_staff"),
    )
    assert (answer.status_code, await state(id_)) in ((204, "revoked"), (409, "ended"))
    assert not await zhang.may_open(park.flat)


async def test_a_member_who_becomes_the_owner_is_certified_once(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    member = await let_in(api, park, zhang, "family")
    admin = Person(api, park.admin, park.headers, "")
    owners = await zhang.applied(park.flat, "owner")
    answer = await admin.post(f"/certifications/{owners['id']}/approve")
    assert answer.status_code == 200, answer.text
    assert (await state(member), await state(owners["id"])) == ("ended", "approved")
    home = await Occupancy.get(person__account_id=zhang.account.id)
    assert (home.type, home.ended_at) == (ResidentType.OWNER, None)
    # The owner of before cannot send away the owner by the old application.
    answer = await wang.post(f"/certifications/{member}/revoke", {"reason": "走"})
    assert answer.status_code == 409
    assert await zhang.may_open(park.flat)


async def test_the_same_person_with_a_new_account_is_certified_once(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    before = await let_in(api, park, zhang)
    # As `own_account.delete` leaves it: the person stays, without an account.
    await Known.filter(account_id=zhang.account.id).update(account_id=None)
    zhang.account.phone_index, zhang.account.deleted_at = None, api.time()
    await zhang.account.save()
    api.time.ahead += timedelta(minutes=2)
    back = await person(api, "zhang2", zhang.phone)
    after = await let_in(api, park, back)
    assert (await state(before), await state(after)) == ("ended", "approved")
    assert await Occupancy.filter(house=park.flat, type="tenant").count() == 1


async def test_the_application_of_a_deleted_account_comes_to_nothing(
    api: Api, park: Estate, zhang: Person
):
    mine = await zhang.applied(park.flat, "owner")
    zhang.account.deleted_at = api.time()
    await zhang.account.save()
    path = f"/v1/certifications/{mine['id']}/approve"
    answer = await api.client.post(path, headers=park.headers)
    assert (answer.status_code, answer.json()["state"]) == (409, "cancelled")
    row = await Certification.get(id=mine["id"])
    assert (row.name, row.data_key, row.slot) == ("", None, None)
    assert not await Occupancy.exists()


async def test_the_clock_takes_back_what_a_deleted_account_left(
    api: Api, park: Estate, zhang: Person
):
    mine = await zhang.applied(park.flat, "owner")
    zhang.account.deleted_at = api.time()
    await zhang.account.save()
    await jobs.handlers(api.context)[jobs.EXPIRE]({})
    assert await state(mine["id"]) == "cancelled"


async def test_a_certified_tenant_keeps_the_end_that_staff_had_set(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    until = api.time() + timedelta(days=30)
    await api.resident("zhang", park.flat, ResidentType.TENANT)
    home = await Occupancy.get(person__account_id=zhang.account.id)
    await Occupancy.filter(id=home.id).update(valid_to=until)
    await let_in(api, park, zhang, "visitor")
    await home.refresh_from_db()
    assert (home.type, home.valid_to) == (ResidentType.VISITOR, until)


async def test_a_reviewer_takes_nothing_away(api: Api, park: Estate, wang: Person, zhang: Person):
    id_ = await let_in(api, park, zhang)
    reviewer = await staff(api, "reviewer", Role.HOUSE_REVIEWER, park.site)
    answer = await reviewer.post(f"/certifications/{id_}/revoke", {"reason": "走"})
    assert answer.status_code == 403
    assert await zhang.may_open(park.flat)
