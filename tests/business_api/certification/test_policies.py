"""Who decides: the community's policy, and whether there is anybody to ask (C5)."""

import pytest

from business_api.certification.applying import MOST_A_DAY, MOST_A_HOUSE, MOST_OPEN
from business_api.organisations.models import CertificationPolicy, Community
from business_api.people import persons
from business_api.people.persons import NewPerson
from business_api.residents import moves
from business_api.residents.models import ResidentType
from tests.business_api.certification.applicants import (
    AGREED,
    OWNER_PHONE,
    Person,
    id_number,
    owner,
    person,
    texts,
)
from tests.business_api.conftest import Api, Estate


@pytest.fixture
async def zhang(api: Api) -> Person:
    return await person(api, "zhang", "+8613811112222")


async def review_all(park: Estate) -> None:
    await Community.filter(id=park.id).update(certification_policy=CertificationPolicy.REVIEW)


async def test_without_a_verified_owner_staff_review(api: Api, park: Estate, zhang: Person):
    mine = await zhang.applied(park.flat, "tenant")
    assert (mine["state"], mine["path"], mine["owners"]) == ("pending_review", "review", [])


@pytest.mark.parametrize("phone", [None, "0755-26001234"])
async def test_nor_with_one_who_cannot_be_sent_anything(
    api: Api, park: Estate, zhang: Person, phone: str | None
):
    known = await persons.create(api.context, "platform", park.site, NewPerson("王五", phone))
    await moves.move_in(api.context, "platform", park.flat, known, ResidentType.OWNER)
    assert (await zhang.applied(park.flat))["state"] == "pending_review"


async def test_a_tenant_is_no_owner(api: Api, park: Estate, zhang: Person):
    li = await person(api, "li", OWNER_PHONE)
    await api.resident("li", park.flat, ResidentType.TENANT)
    assert (await zhang.applied(park.flat, "family"))["state"] == "pending_review"
    assert await texts(api, li.phone) == []


async def test_a_community_may_review_everybody(api: Api, park: Estate, zhang: Person):
    wang = await owner(api, park.flat)
    await review_all(park)
    mine = await zhang.applied(park.flat, "tenant")
    assert mine["state"] == "pending_review"
    assert await texts(api, OWNER_PHONE) == []
    # The owner hears of it, and may refuse before anybody has looked.
    listed = (await wang.get("/me/household-requests")).json()["items"]
    assert [one["actions"] for one in listed] == [["refuse"]]
    path = f"/me/household-requests/{mine['id']}/refuse"
    assert (await wang.post(path, {"reason": "不认识"})).status_code == 204
    assert await zhang.state(mine) == "rejected"


async def test_an_owner_is_reviewed_whatever_another_owner_says(
    api: Api, park: Estate, zhang: Person
):
    wang = await owner(api, park.flat)
    mine = await zhang.applied(park.flat, "owner")
    assert mine["state"] == "pending_review"
    assert await texts(api, OWNER_PHONE) == []
    assert (await wang.get("/me/household-requests")).json()["total"] == 0
    refused = await wang.post(f"/me/household-requests/{mine['id']}/refuse", {})
    assert refused.status_code == 404


async def test_an_owner_shows_who_it_is(api: Api, park: Estate, zhang: Person):
    answer = await zhang.apply(park.flat, "owner")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/id-number-needed")
    given = {"id_number": id_number(1)}
    answer = await zhang.apply(park.flat, "owner", **given)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/consent-needed")
    old = [{"purpose": "id_number", "version": "0"}]
    answer = await zhang.apply(park.flat, "owner", **given, consents=old)
    assert answer.json()["type"] == "/problems/consent-needed"
    bad = {"id_number": "110105199003070011", "consents": AGREED}
    answer = await zhang.apply(park.flat, "owner", **bad)
    assert answer.json()["type"] == "/problems/bad-id-number"
    assert "1101051990" not in answer.text


async def test_an_account_without_a_phone_cannot_apply(api: Api, park: Estate):
    account = await api.account("li")
    li = Person(api, account, await api.headers("li"), "")
    answer = await li.apply(park.flat)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/phone-needed")


async def test_who_lives_there_does_not_apply_for_the_same(api: Api, park: Estate, zhang: Person):
    await api.resident("zhang", park.flat, ResidentType.FAMILY)
    answer = await zhang.apply(park.flat, "family")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/already-resident")
    # To become the owner, a member is reviewed like anybody.
    assert (await zhang.applied(park.flat, "owner"))["state"] == "pending_review"


async def test_an_owner_is_all_that_one_can_be(api: Api, park: Estate, zhang: Person):
    await api.resident("zhang", park.flat, ResidentType.OWNER)
    for type_ in ("owner", "family", "tenant", "visitor"):
        given = {"id_number": id_number(1), "consents": AGREED}
        answer = await zhang.apply(park.flat, type_, **given)
        assert answer.json()["type"] == "/problems/already-resident"


async def test_no_means_no_for_a_day(api: Api, park: Estate, zhang: Person):
    for _ in range(MOST_A_HOUSE):
        mine = await zhang.applied(park.flat)
        await zhang.post(f"/me/certifications/{mine['id']}/cancel")
    answer = await zhang.apply(park.flat)
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-applications")
    assert 86_000 < int(answer.headers["retry-after"]) <= 86_400
    assert (await zhang.apply(park.home)).status_code == 201


async def test_nobody_tries_house_after_house(api: Api, park: Estate, zhang: Person):
    houses = [
        await type(park.home).create(building=park.villa, code=f"02{number:02}", **_where(park))
        for number in range(MOST_A_DAY + 1)
    ]
    for number, house in enumerate(houses[:MOST_OPEN]):
        assert (await zhang.apply(house)).status_code == 201, number
    assert (await zhang.apply(houses[MOST_OPEN])).status_code == 429
    for one in (await zhang.get("/me/certifications")).json()["items"]:
        await zhang.post(f"/me/certifications/{one['id']}/cancel")
    for house in houses[MOST_OPEN:MOST_A_DAY]:
        assert (await zhang.apply(house)).status_code == 201
    for one in (await zhang.get("/me/certifications")).json()["items"]:
        await zhang.post(f"/me/certifications/{one['id']}/cancel")
    assert (await zhang.apply(houses[MOST_A_DAY])).status_code == 429


def _where(park: Estate) -> dict[str, object]:
    return {
        "operator_id": park.community.operator_id,
        "company_id": park.community.company_id,
        "community_id": park.id,
    }
