"""The other path: the owner is sent a code, and whoever it gives it to is in (BR5)."""

import asyncio
from datetime import timedelta

import pytest

from business_api.accounts import one_time_codes
from business_api.accounts.models import OneTimeCode
from business_api.accounts.one_time_codes import Purpose
from business_api.background import services
from business_api.certification import admitting, asking, jobs
from business_api.certification.models import CertificationEvent
from business_api.certification.states import Action, IllegalMove
from business_api.messages.models import Message
from business_api.people import persons
from business_api.people.persons import NewPerson
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from tests.business_api.certification.applicants import (
    OWNER_PHONE,
    Person,
    code,
    owner,
    person,
    row,
    texts,
    wrong,
)
from tests.business_api.conftest import Api, Estate

MINUTES = timedelta(minutes=1)


@pytest.fixture
async def wang(api: Api, park: Estate) -> Person:
    return await owner(api, park.flat)


@pytest.fixture
async def zhang(api: Api) -> Person:
    return await person(api, "zhang", "+8613811112222")


@pytest.mark.parametrize("type_", ["family", "tenant", "visitor"])
async def test_the_right_code_lets_in_at_once(
    api: Api, park: Estate, wang: Person, zhang: Person, type_: str
):
    mine = await zhang.applied(park.flat, type_)
    assert mine["state"] == "wait_owner_code"
    assert mine["actions"] == ["ask", "confirm", "cancel"]
    answer = await zhang.confirm(mine, await code(api))
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "approved"
    assert await zhang.may_open(park.flat)
    home = await Occupancy.get(person__account_id=zhang.account.id)
    assert home.type == type_
    # Nobody reviewed it.
    shown = await api.client.get(f"/v1/certifications/{mine['id']}", headers=park.headers)
    assert shown.json()["reviewed_at"] is None
    assert [one["action"] for one in shown.json()["steps"]] == [None, "ask", "confirm"]


async def test_the_applicant_sees_of_the_owner_what_a_friend_recognises(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    answer = await zhang.apply(park.flat)
    (shown,) = answer.json()["owners"]
    assert (shown["name"], shown["phone_ending"]) == ("王*", "0001")
    assert "王五" not in answer.text
    assert OWNER_PHONE[3:] not in answer.text


async def test_the_owner_is_told_and_the_household_too(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    asked = await Message.get(account_id=wang.account.id)
    assert asked.kind == "certification.asked"
    assert asked.params == {
        "name": "张三",
        "house": "1号楼 1单元 0101",
        "certification_id": mine["id"],
    }
    (text,) = await texts(api, OWNER_PHONE)
    assert "申请加入您的房屋" in text
    await zhang.confirm(mine, await code(api))
    kinds = (
        await Message.filter(account_id=wang.account.id)
        .order_by("id")
        .values_list("kind", flat=True)
    )
    assert kinds == ["certification.asked", "certification.joined"]


async def test_five_wrong_codes_lock_it(api: Api, park: Estate, wang: Person, zhang: Person):
    mine = await zhang.applied(park.flat)
    right = await code(api)
    for left in (4, 3, 2, 1, 0):
        answer = await zhang.confirm(mine, wrong(right))
        assert answer.status_code == 403
        assert answer.json()["tries_left"] == left
    assert await zhang.state(mine) == "locked"
    refused = await zhang.confirm(mine, right)
    assert (refused.status_code, refused.json()["allowed"]) == (409, [])
    assert not await zhang.may_open(park.flat)
    # A new application is a new row, with a new code.
    api.time.ahead += 2 * MINUTES
    again = await zhang.applied(park.flat)
    assert (await zhang.confirm(again, right)).status_code == 403
    assert (await zhang.confirm(again, await code(api))).status_code == 200


async def test_wrong_codes_at_once_are_counted_all(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    right = await code(api)
    guesses = [f"{(int(right) + 1 + number) % 1_000_000:06}" for number in range(8)]
    answers = await asyncio.gather(*(zhang.confirm(mine, guess) for guess in guesses))
    assert {answer.status_code for answer in answers} <= {403, 409}
    assert await zhang.state(mine) == "locked"
    assert (await zhang.confirm(mine, right)).status_code == 409


async def test_a_code_is_good_for_ten_minutes(api: Api, park: Estate, wang: Person, zhang: Person):
    mine = await zhang.applied(park.flat)
    late = await code(api)
    api.time.ahead += 10 * MINUTES
    await zhang.sign_in_again()
    answer = await zhang.confirm(mine, late)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/code-expired")
    assert await zhang.state(mine) == "expired"
    assert not await zhang.may_open(park.flat)
    again = await zhang.applied(park.flat)
    assert (await zhang.confirm(again, await code(api))).status_code == 200


async def test_the_clock_ends_what_nobody_confirms(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    expire = jobs.handlers(api.context)[jobs.EXPIRE]
    await expire({})
    assert await zhang.state(mine) == "wait_owner_code"
    api.time.ahead += 10 * MINUTES
    await zhang.sign_in_again()
    await expire({})
    await expire({})
    assert await zhang.state(mine) == "expired"
    steps = await CertificationEvent.filter(certification_id=mine["id"]).order_by("seq")
    assert [(step.seq, step.action, step.actor) for step in steps][-1] == (3, "expire", "platform")
    assert services(api.context)  # both handlers have names of their own


async def test_an_overdue_application_does_not_stand_in_the_way(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    first = await zhang.applied(park.flat)
    api.time.ahead += 11 * MINUTES
    await zhang.sign_in_again()
    second = await zhang.applied(park.flat)
    assert (await zhang.state(first), second["state"]) == ("expired", "wait_owner_code")


async def test_another_code_can_be_sent_a_few_times(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    first = await code(api)
    path = f"/me/certifications/{mine['id']}/ask"
    early = await zhang.post(path, {})
    assert (early.status_code, early.json()["type"]) == (429, "/problems/too-many-codes")
    assert int(early.headers["retry-after"]) <= 60
    for left in (1, 0):
        api.time.ahead += 2 * MINUTES
        answer = await zhang.post(path, {})
        assert answer.status_code == 200, answer.text
        assert answer.json()["codes_left"] == left
    api.time.ahead += 2 * MINUTES
    used_up = await zhang.post(path, {})
    assert (used_up.status_code, used_up.json()["type"]) == (409, "/problems/codes-used-up")
    assert (await zhang.confirm(mine, first)).status_code == 403
    assert (await zhang.confirm(mine, await code(api))).status_code == 200


async def test_an_owner_is_not_drowned_in_codes(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    strangers = [zhang] + [
        await person(api, f"stranger{number}", f"+861381111000{number}") for number in range(3)
    ]
    states = []
    for stranger in strangers:
        states.append((await stranger.applied(park.flat))["state"])
        api.time.ahead += 2 * MINUTES
    assert states == ["wait_owner_code"] * 3 + ["submitted"]
    assert len(await texts(api, OWNER_PHONE)) == asking.PER_OWNER[0][1]
    waiting = (await strangers[3].get("/me/certifications")).json()["items"][0]
    refused = await strangers[3].post(f"/me/certifications/{waiting['id']}/ask", {})
    assert refused.json()["type"] == "/problems/owner-asked-enough"
    api.time.ahead += timedelta(hours=1)
    await strangers[3].sign_in_again()
    answer = await strangers[3].post(f"/me/certifications/{waiting['id']}/ask", {})
    assert answer.json()["state"] == "wait_owner_code"


async def test_with_several_owners_one_is_chosen(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    zhao = await owner(api, park.flat, "zhao", "+8613900000002")
    mine = await zhang.applied(park.flat)
    assert (mine["state"], mine["asked_owner_id"]) == ("submitted", None)
    assert {one["phone_ending"] for one in mine["owners"]} == {"0001", "0002"}
    path = f"/me/certifications/{mine['id']}/ask"
    unsaid = await zhang.post(path, {})
    assert (unsaid.status_code, unsaid.json()["type"]) == (422, "/problems/owner-needed")
    nobody = await zhang.post(path, {"owner_id": str(zhao.account.id)})
    assert (nobody.status_code, nobody.json()["type"]) == (404, "/problems/no-such-owner")

    chosen = next(one["id"] for one in mine["owners"] if one["phone_ending"] == "0002")
    asked = (await zhang.post(path, {"owner_id": chosen})).json()
    assert (asked["state"], asked["asked_owner_id"]) == ("wait_owner_code", chosen)
    assert await texts(api, OWNER_PHONE) == []
    # Both are told; either may refuse.
    for one in (wang, zhao):
        assert await Message.filter(account_id=one.account.id).count() == 1
    assert (await zhang.confirm(mine, await code(api, zhao.phone))).status_code == 200


async def test_an_owner_may_refuse(api: Api, park: Estate, wang: Person, zhang: Person):
    mine = await zhang.applied(park.flat)
    listed = (await wang.get("/me/household-requests", state="wait_owner_code")).json()
    (request,) = listed["items"]
    assert (request["name"], request["phone"]) == ("张三", "138****2222")
    assert request["actions"] == ["refuse"]
    path = f"/me/household-requests/{mine['id']}/refuse"
    assert (await wang.post(path, {})).status_code == 204
    assert await zhang.state(mine) == "rejected"
    again = await wang.post(path, {})
    assert (again.status_code, again.json()["state"]) == (409, "rejected")
    assert (await zhang.confirm(mine, await code(api))).status_code == 409
    told = await Message.get(account_id=zhang.account.id)
    assert told.kind == "certification.refused"


async def test_a_refusal_and_the_right_code_at_once(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    right = await code(api)
    refused, confirmed = await asyncio.gather(
        wang.post(f"/me/household-requests/{mine['id']}/refuse", {}),
        zhang.confirm(mine, right),
    )
    assert (refused.status_code, confirmed.status_code) in ((204, 409), (409, 200))
    assert await zhang.may_open(park.flat) is (confirmed.status_code == 200)


async def test_the_same_code_twice_at_once_lets_in_once(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    right = await code(api)
    answers = await asyncio.gather(*(zhang.confirm(mine, right) for _ in range(3)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {403, 409}
    assert await zhang.state(mine) == "approved"
    assert await Occupancy.filter(person__account_id=zhang.account.id).count() == 1


async def test_a_code_is_good_for_its_own_application_only(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    li = await person(api, "li", "+8613811113333")
    first = await zhang.applied(park.flat)
    for_zhang = await code(api)
    api.time.ahead += 2 * MINUTES
    second = await li.applied(park.flat)
    assert (await li.confirm(second, for_zhang)).status_code == 403
    # Nor for somebody else's application, whoever has the code.
    assert (await li.confirm(first, for_zhang)).status_code == 404
    assert (await zhang.confirm(first, for_zhang)).status_code == 200


async def test_an_owner_who_has_left_vouches_for_nobody(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    right = await code(api)
    home = await Occupancy.get(person__account_id=wang.account.id)
    await moves.end(api.context, "platform", home, "sold")
    answer = await zhang.confirm(mine, right)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-owner")
    assert await zhang.state(mine) == "expired"
    assert not await zhang.may_open(park.flat)


async def test_a_disabled_owner_vouches_for_nobody(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    wang.account.disabled_at = api.time()
    await wang.account.save()
    assert (await zhang.applied(park.flat))["state"] == "pending_review"


async def test_an_owner_without_an_account_is_asked_by_the_phone_in_the_house_file(
    api: Api, park: Estate, zhang: Person
):
    known = await persons.create(
        api.context, "platform", park.site, NewPerson("王五", "13900000009")
    )
    await moves.move_in(api.context, "platform", park.flat, known, ResidentType.OWNER)
    mine = await zhang.applied(park.flat)
    assert mine["state"] == "wait_owner_code"
    answer = await zhang.confirm(mine, await code(api, "+8613900000009"))
    assert answer.status_code == 200, answer.text


async def test_an_owner_who_leaves_before_being_asked_leaves_it_to_the_staff(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    await owner(api, park.flat, "zhao", "+8613900000002")
    mine = await zhang.applied(park.flat)
    assert mine["state"] == "submitted"
    for home in await Occupancy.filter(house=park.flat):
        await moves.end(api.context, "platform", home, "sold")
    answer = await zhang.post(f"/me/certifications/{mine['id']}/ask", {})
    assert (answer.json()["state"], answer.json()["path"]) == ("pending_review", "review")
    told = await Message.filter(kind="certification.submitted").values_list("account_id", flat=True)
    assert told == [park.admin.id]


async def test_a_failed_admission_gives_the_code_back(
    api: Api, park: Estate, wang: Person, zhang: Person
):
    mine = await zhang.applied(park.flat)
    right = await code(api)
    about = f"certification/{mine['id']}"
    read = await one_time_codes.verify(
        api.context, Purpose.CERTIFICATION, OWNER_PHONE, right, about=about
    )
    stale = await row(mine)
    stale.version -= 1  # as somebody read it who is too late
    with pytest.raises(IllegalMove):
        await admitting.admit(api.context, "platform", stale, Action.CONFIRM, code=read)
    assert (await OneTimeCode.get(id=read.id)).used_at is None
    assert not await Occupancy.filter(person__account_id=zhang.account.id).exists()
    assert (await zhang.confirm(mine, right)).status_code == 200
