"""The owner's path: handed in, looked at, decided (BR4)."""

import asyncio
from uuid import UUID

import pytest

from business_api.authz.roles import Role
from business_api.certification.models import Certification, CertificationEvent
from business_api.certification.moving import CERTIFICATIONS
from business_api.messages.models import Message
from business_api.people import persons
from business_api.people.models import Person as Known
from business_api.people.persons import NewPerson
from business_api.residents import erasing, moves
from business_api.residents.models import Occupancy, ResidentType
from foundation.models import AuditEvent
from tests.business_api.certification.applicants import (
    AGREED,
    Person,
    code,
    id_number,
    person,
    staff,
)
from tests.business_api.conftest import Api, Estate
from tests.support.statements import statements
from tests.support.until import until

PHONE = "+8613811112222"


@pytest.fixture
async def zhang(api: Api) -> Person:
    return await person(api, "zhang", PHONE)


@pytest.fixture
async def reviewer(api: Api, park: Estate) -> Person:
    return await staff(api, "reviewer", Role.HOUSE_REVIEWER, park.site)


async def test_an_owner_is_reviewed_and_then_lives_there(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    mine = await zhang.applied(park.flat, "owner")
    assert mine["state"] == "pending_review"
    assert mine["house_name"] == "1号楼 1单元 0101"
    assert mine["phone"] == "138****2222"
    assert mine["id_number"] == "1101**********" + id_number(1)[-4:]
    assert mine["actions"] == ["cancel"]
    assert not await zhang.may_open(park.flat)

    listed = (await reviewer.get("/certifications", state="pending_review")).json()
    assert [one["id"] for one in listed["items"]] == [mine["id"]]
    assert listed["items"][0]["phone"] == "138****2222"
    answer = await reviewer.post(f"/certifications/{mine['id']}/approve")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["state"], shown["reviewed_by_name"]) == ("approved", "Reviewer")
    assert [(one["action"], one["state"], one["by_name"]) for one in shown["steps"]] == [
        (None, "submitted", "Zhang"),
        ("queue", "pending_review", ""),
        ("approve", "approved", "Reviewer"),
    ]

    assert await zhang.may_open(park.flat)
    assert await zhang.state(mine) == "approved"
    home = await Occupancy.get(person__account_id=zhang.account.id).select_related("person")
    assert (home.type, home.ended_at) == (ResidentType.OWNER, None)
    assert await persons.phone_of(api.context, home.person) == PHONE
    kinds = await Message.filter(account_id=zhang.account.id).values_list("kind", flat=True)
    assert kinds == ["certification.approved"]


async def test_what_was_handed_in_goes_to_the_person_and_from_the_application(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    mine = await zhang.applied(park.flat, "owner")
    await reviewer.post(f"/certifications/{mine['id']}/approve")
    row = await Certification.get(id=mine["id"])
    assert (row.data_key, row.phone_sealed, row.id_number_sealed) == (None, None, None)
    shown = (await reviewer.get(f"/certifications/{mine['id']}")).json()
    assert shown["phone"] == "138****2222"
    assert shown["id_number"].endswith(id_number(1)[-4:])
    assert (row.name, shown["name"]) == ("", "张三")
    assert (await reviewer.get("/certifications", search="张")).json()["total"] == 1
    body = {"field": "phone", "reason": "核对"}
    gone = await reviewer.post(f"/certifications/{mine['id']}/reveal", body)
    assert (gone.status_code, gone.json()["type"]) == (404, "/problems/nothing-to-reveal")
    assert (await reviewer.get(f"/certifications/{mine['id']}/comparison")).status_code == 404


async def test_who_was_certified_and_is_erased_is_nobody_here_either(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    mine = await zhang.applied(park.flat, "owner")
    await reviewer.post(f"/certifications/{mine['id']}/approve")
    home = await Occupancy.get(person__account_id=zhang.account.id).select_related("person")
    await moves.end(api.context, "platform", home, "gone")
    actor = await api.app.state.authenticator.actor(park.headers["Authorization"][7:])
    await erasing.erase(api.context, actor, home.person)
    shown = await reviewer.get(f"/certifications/{mine['id']}")
    assert shown.json()["state"] == "ended"
    for secret in ("张三", "2222", id_number(1)[-4:]):
        assert secret not in shown.text


async def test_reviewers_learn_that_they_have_work(
    api: Api, park: Estate, sibling: Estate, zhang: Person, reviewer: Person
):
    await zhang.applied(park.flat, "owner")
    told = await Message.filter(kind="certification.submitted").values_list("account_id", flat=True)
    assert set(told) == {reviewer.account.id, park.admin.id}


async def test_a_rejected_applicant_reads_why_and_applies_anew(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    mine = await zhang.applied(park.flat, "owner")
    path = f"/certifications/{mine['id']}/reject"
    assert (await reviewer.post(path, {"reason": " "})).status_code == 422
    assert (await reviewer.post(path, {})).status_code == 422
    answer = await reviewer.post(path, {"reason": "证件不清晰"})
    assert answer.status_code == 200, answer.text

    found = (await zhang.get(f"/me/certifications/{mine['id']}")).json()
    assert (found["state"], found["reason"], found["actions"]) == ("rejected", "证件不清晰", [])
    message = await Message.get(account_id=zhang.account.id)
    assert message.kind == "certification.rejected"
    assert message.params["reason"] == "证件不清晰"
    refused = await reviewer.post(f"/certifications/{mine['id']}/approve")
    assert refused.status_code == 409
    assert (refused.json()["state"], refused.json()["allowed"]) == ("rejected", [])
    assert not await zhang.may_open(park.flat)

    again = await zhang.applied(park.flat, "owner")
    assert again["id"] != mine["id"]


async def test_the_reasons_of_people_stay_out_of_the_audit(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    mine = await zhang.applied(park.flat, "owner")
    await reviewer.post(f"/certifications/{mine['id']}/reject", {"reason": "张三不是业主"})
    lines = await AuditEvent.filter(object=f"certification/{mine['id']}").order_by("seq")
    assert [line.action for line in lines] == ["certification.submit", "certification.reject"]
    said = str([line.facts for line in lines])
    for secret in ("张三", PHONE[3:], id_number(1)):
        assert secret not in said


async def test_of_two_reviewers_at_once_one_wins(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    mine = await zhang.applied(park.flat, "owner")
    admin = Person(api, park.admin, park.headers, "")
    path = f"/certifications/{mine['id']}/approve"
    answers = await asyncio.gather(reviewer.post(path), admin.post(path), reviewer.post(path))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert await Occupancy.filter(person__account_id=zhang.account.id).count() == 1
    assert await CertificationEvent.filter(certification_id=mine["id"]).count() == 3


@pytest.mark.parametrize("head_start", [0, 1])
async def test_of_an_approval_and_a_cancellation_one_happens(
    api: Api, park: Estate, zhang: Person, reviewer: Person, head_start: int
):
    mine = await zhang.applied(park.flat, "owner")
    approving = asyncio.create_task(reviewer.post(f"/certifications/{mine['id']}/approve"))
    if head_start:
        row = Certification.filter(id=mine["id"], state="approved")
        await until(row.exists)
    cancelled = await zhang.post(f"/me/certifications/{mine['id']}/cancel")
    approved = await approving
    assert sorted((approved.status_code, cancelled.status_code)) == [200, 409]
    lives = await Occupancy.filter(person__account_id=zhang.account.id, ended_at=None).exists()
    assert lives is (approved.status_code == 200)
    assert await zhang.may_open(park.flat) is lives


async def test_one_application_for_a_house_is_open_at_a_time(api: Api, park: Estate, zhang: Person):
    answers = await asyncio.gather(
        *(
            zhang.apply(park.flat, "owner", id_number=id_number(1), consents=AGREED)
            for _ in range(3)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    mine = next(answer.json() for answer in answers if answer.status_code == 201)
    refused = await zhang.apply(park.flat, "family")
    assert refused.json()["type"] == "/problems/already-applied"
    assert (await zhang.post(f"/me/certifications/{mine['id']}/cancel")).status_code == 200
    await zhang.applied(park.flat, "owner")


async def test_the_same_request_again_is_one_application(api: Api, park: Estate, zhang: Person):
    body = {"house_id": str(park.flat.id), "type": "tenant", "name": "张三"}
    key = {"Idempotency-Key": "pressed-once"}
    first = await zhang.post("/me/certifications", body, **key)
    again = await zhang.post("/me/certifications", body, **key)
    assert first.status_code == again.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"


async def test_somebody_the_staff_registered_is_taken_over_and_not_doubled(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    known = await persons.create(api.context, "platform", park.site, NewPerson("张三", PHONE))
    home = await moves.move_in(api.context, "platform", park.flat, known, ResidentType.OWNER)
    mine = await zhang.applied(park.flat, "owner")
    found = (await reviewer.get(f"/certifications/{mine['id']}/comparison")).json()
    assert found == {"owners": [{"name": True, "phone": True, "id_number": None}]}

    answer = await reviewer.post(f"/certifications/{mine['id']}/approve")
    assert answer.status_code == 200, answer.text
    assert answer.json()["occupancy_id"] == str(home.id)
    assert answer.json()["person_id"] == str(known.id)
    assert await Occupancy.filter(house=park.flat).count() == 1
    assert (await Known.get(id=known.id)).account_id == zhang.account.id
    assert await zhang.may_open(park.flat)


async def test_a_family_member_whom_staff_registered_as_owner_stays_one(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    known = await persons.create(api.context, "platform", park.site, NewPerson("张三", PHONE))
    home = await moves.move_in(api.context, "platform", park.flat, known, ResidentType.OWNER)
    mine = await zhang.applied(park.flat, "family")
    answer = await zhang.confirm(mine, await code(api, PHONE))
    assert answer.status_code == 200, answer.text
    await home.refresh_from_db()
    assert home.type is ResidentType.OWNER


async def test_the_comparison_says_yes_or_no_and_nothing_else(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    given = NewPerson("李四", "+8613999998888")
    known = await persons.create(api.context, "platform", park.site, given)
    await moves.move_in(api.context, "platform", park.flat, known, ResidentType.OWNER)
    mine = await zhang.applied(park.flat, "owner")
    answer = await reviewer.get(f"/certifications/{mine['id']}/comparison")
    assert answer.json() == {"owners": [{"name": False, "phone": False, "id_number": None}]}
    assert "李四" not in answer.text
    assert await AuditEvent.filter(action="certification.compare").count() == 1


async def test_data_in_clear_need_a_reason_and_leave_a_line(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    mine = await zhang.applied(park.flat, "owner")
    path = f"/certifications/{mine['id']}/reveal"
    assert (await reviewer.post(path, {})).status_code == 422
    answer = await reviewer.post(path, {"field": "phone", "reason": "核对身份证照片"})
    assert answer.json() == {"value": PHONE}
    answer = await reviewer.post(path, {"field": "id_number", "reason": "核对身份证照片"})
    assert answer.json() == {"value": id_number(1)}
    about = f"certification/{mine['id']}"
    lines = await AuditEvent.filter(object=about, action="person.reveal").order_by("seq")
    assert [line.facts["field"] for line in lines] == ["phone", "id_number"]
    line = lines[1]
    assert line.actor == f"account/{reviewer.account.id}"
    assert line.facts["reason"] == "核对身份证照片"
    assert line.community_id == park.id
    assert id_number(1) not in str(line.facts)


async def test_a_page_costs_the_same_whatever_is_on_it(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    li = await person(api, "li", "+8613811113333")
    first = await zhang.applied(park.flat, "owner")
    await reviewer.post(f"/certifications/{first['id']}/approve")

    async def cost() -> int:
        await reviewer.get("/certifications")  # signed in and remembered
        with statements() as sql:
            assert (await reviewer.get("/certifications")).status_code == 200
        return len(sql)

    one = await cost()
    await li.applied(park.flat, "owner")
    await li.applied(park.home, "owner")
    await zhang.applied(park.home, "owner")
    assert await cost() <= one


async def test_what_becomes_of_applications_is_counted(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    def counted(outcome: str) -> float:
        return CERTIFICATIONS.labels("review", outcome)._value.get()

    before = {state: counted(state) for state in ("pending_review", "rejected", "approved")}
    mine = await zhang.applied(park.flat, "owner")
    await reviewer.post(f"/certifications/{mine['id']}/reject", {"reason": "不符"})
    await reviewer.post(f"/certifications/{mine['id']}/approve")
    after = {state: counted(state) - was for state, was in before.items()}
    assert after == {"pending_review": 1, "rejected": 1, "approved": 0}


async def test_the_list_is_filtered_and_searched(
    api: Api, park: Estate, zhang: Person, reviewer: Person
):
    li = await person(api, "li", "+8613811113333")
    first = await zhang.applied(park.flat, "owner")
    second = await li.applied(park.home, "owner", name="李四")
    await reviewer.post(f"/certifications/{first['id']}/reject", {"reason": "不符"})

    async def found(**params: str) -> list[str]:
        answer = await reviewer.get("/certifications", **params)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert await found() == [second["id"], first["id"]]
    assert await found(state="rejected") == [first["id"]]
    assert await found(search="李") == [second["id"]]
    assert await found(building_id=str(park.tower.id)) == [first["id"]]
    assert await found(house_id=str(park.home.id)) == [second["id"]]
    assert await found(community_id=str(park.id)) == [second["id"], first["id"]]
    assert await found(community_id=str(UUID(int=1))) == []
    assert await found(type="tenant") == []
    assert await found(path="review", state="pending_review") == [second["id"]]
    page = (await reviewer.get("/certifications", page=2, size=1)).json()
    assert (page["total"], [one["id"] for one in page["items"]]) == (2, [first["id"]])
