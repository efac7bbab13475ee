"""Who sees and decides which applications: nobody beyond its own part of the tree."""

from typing import Any

import pytest

from business_api.authz.roles import Role
from business_api.certification.models import Certification
from business_api.files.models import FileKind, StoredFile
from business_api.residents.models import ResidentType
from tests.business_api.certification.applicants import Person, lives, owner, person, staff
from tests.business_api.conftest import Api, Estate

DECISIONS: list[tuple[str, Any]] = [
    ("approve", None),
    ("reject", {"reason": "不符"}),
    ("revoke", {"reason": "不符"}),
    ("reveal", {"field": "phone", "reason": "核对"}),
]


@pytest.fixture
async def zhang(api: Api) -> Person:
    return await person(api, "zhang", "+8613811112222")


@pytest.fixture
async def both(sibling: Estate, elsewhere: Estate) -> None:
    """A community of the same company, and one of another."""


@pytest.mark.parametrize("who", ["sibling-admin", "other-admin"])
async def test_another_communitys_staff_find_nothing(
    api: Api, park: Estate, both: None, zhang: Person, who: str
):
    mine = await zhang.applied(park.flat, "owner")
    stranger = Person(api, park.admin, await api.headers(who), "")
    path = f"/certifications/{mine['id']}"
    assert (await stranger.get("/certifications")).json()["total"] == 0
    narrowed = await stranger.get("/certifications", community_id=str(park.id))
    assert narrowed.json()["total"] == 0
    missing = (await stranger.get("/certifications/00000000-0000-0000-0000-000000000001")).json()
    for answer in (
        await stranger.get(path),
        await stranger.get(f"{path}/comparison"),
        *[await stranger.post(f"{path}/{verb}", body) for verb, body in DECISIONS],
        await stranger.post(f"/me/household-requests/{mine['id']}/refuse", {}),
    ):
        assert answer.status_code == 404
        assert answer.json()["type"] == missing["type"]
    assert (await Certification.get(id=mine["id"])).state == "pending_review"


async def test_an_applicants_own_is_nobody_elses(api: Api, park: Estate, zhang: Person):
    mine = await zhang.applied(park.flat, "owner")
    li = await person(api, "li", "+8613811113333")
    path = f"/me/certifications/{mine['id']}"
    assert (await li.get("/me/certifications")).json()["total"] == 0
    assert (await li.get(path)).status_code == 404
    for verb, body in (("cancel", None), ("ask", {}), ("confirm", {"code": "123456"})):
        assert (await li.post(f"{path}/{verb}", body)).status_code == 404
    # Nor does an admin act in an applicant's name.
    admin = Person(api, park.admin, park.headers, "")
    assert (await admin.post(f"{path}/cancel")).status_code == 404


async def test_an_applicant_does_not_decide(api: Api, park: Estate, zhang: Person):
    mine = await zhang.applied(park.flat, "owner")
    for verb, body in DECISIONS:
        answer = await zhang.post(f"/certifications/{mine['id']}/{verb}", body)
        assert answer.status_code == 404, verb
    assert (await zhang.get("/certifications")).status_code == 403


@pytest.mark.parametrize("type_", list(ResidentType))
async def test_residents_do_not_see_what_was_handed_in(
    api: Api, park: Estate, zhang: Person, type_: ResidentType
):
    mine = await zhang.applied(park.flat, "owner")
    li = await lives(api, "li", park.flat, type_)
    for verb, body in DECISIONS:
        assert (await li.post(f"/certifications/{mine['id']}/{verb}", body)).status_code == 404
    assert (await li.get(f"/certifications/{mine['id']}")).status_code == 404
    assert (await li.get("/certifications")).status_code == 403


async def test_an_owner_hears_of_its_own_house_only(
    api: Api, park: Estate, sibling: Estate, zhang: Person
):
    wang = await owner(api, park.flat)
    await owner(api, park.home, "zhao", "+8613900000002")
    await owner(api, sibling.flat, "qian", "+8613900000003")
    here = await zhang.applied(park.flat)
    others = [await zhang.applied(park.home), await zhang.applied(sibling.flat)]
    listed = (await wang.get("/me/household-requests")).json()["items"]
    assert [one["id"] for one in listed] == [here["id"]]
    for other in others:
        answer = await wang.post(f"/me/household-requests/{other['id']}/refuse", {})
        assert answer.status_code == 404


async def test_a_member_refuses_nobody(api: Api, park: Estate, zhang: Person):
    await owner(api, park.flat)
    mine = await zhang.applied(park.flat)
    li = await lives(api, "li", park.flat, ResidentType.FAMILY)
    assert (await li.get("/me/household-requests")).status_code == 403
    answer = await li.post(f"/me/household-requests/{mine['id']}/refuse", {})
    assert answer.status_code == 404


async def test_a_reviewer_of_a_building_sees_that_building(api: Api, park: Estate, zhang: Person):
    tower = await zhang.applied(park.flat, "owner")
    villa = await zhang.applied(park.home, "owner")
    reviewer = await staff(api, "tower-reviewer", Role.HOUSE_REVIEWER, park.tower.site)
    listed = (await reviewer.get("/certifications")).json()["items"]
    assert [one["id"] for one in listed] == [tower["id"]]
    assert (await reviewer.get(f"/certifications/{villa['id']}")).status_code == 404
    assert (await reviewer.post(f"/certifications/{villa['id']}/approve")).status_code == 404
    assert (await reviewer.post(f"/certifications/{tower['id']}/approve")).status_code == 200


async def test_the_property_company_sees_and_does_not_decide(api: Api, park: Estate, zhang: Person):
    mine = await zhang.applied(park.flat, "owner")
    boss = await staff(api, "boss", Role.PROPERTY_ADMIN, park.company.site)
    assert (await boss.get(f"/certifications/{mine['id']}")).status_code == 200
    for verb, body in DECISIONS:
        answer = await boss.post(f"/certifications/{mine['id']}/{verb}", body)
        assert answer.status_code == 403, verb
    assert (await boss.get(f"/certifications/{mine['id']}/comparison")).status_code == 403


async def test_papers_are_for_those_who_review_them(
    api: Api, park: Estate, sibling: Estate, zhang: Person
):
    reviewer = await staff(api, "reviewer", Role.HOUSE_REVIEWER, park.site)
    boss = await staff(api, "boss", Role.PROPERTY_ADMIN, park.company.site)
    paper = await file_of(api, zhang)
    mine = await zhang.applied(park.flat, "owner", file_ids=[str(paper.id)])
    assert [one["id"] for one in mine["files"]] == [str(paper.id)]
    shown = (await reviewer.get(f"/certifications/{mine['id']}")).json()
    assert [one["id"] for one in shown["files"]] == [str(paper.id)]
    hidden = (await boss.get(f"/certifications/{mine['id']}")).json()
    assert (hidden["files"], hidden["actions"]) == ([], [])
    assert shown["actions"] == ["approve", "reject"]

    path = f"/files/{paper.id}"
    stranger = Person(api, sibling.admin, sibling.headers, "")
    seen = [(await one.get(path)).status_code for one in (zhang, reviewer, boss, stranger)]
    assert seen == [200, 200, 404, 404]


async def test_nobody_hands_in_somebody_elses_papers(api: Api, park: Estate, zhang: Person):
    li = await person(api, "li", "+8613811113333")
    for file_ids in (
        [str((await file_of(api, li)).id)],
        ["00000000-0000-0000-0000-000000000001"],
    ):
        answer = await zhang.apply(park.flat, "tenant", file_ids=file_ids)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-file")
    assert not await Certification.exists()


async def test_a_reviewer_does_this_and_nothing_else(api: Api, park: Estate, zhang: Person):
    """R5, over every operation there is: what is not about certifications is 403 or 404."""
    reviewer = await staff(api, "reviewer", Role.HOUSE_REVIEWER, park.site)
    api.app.state.requests_per_account._cost = 0
    allowed = []
    for path, operations in api.app.openapi()["paths"].items():
        for method, operation in operations.items():
            needed = operation.get("x-permission")
            if needed is None or needed in ("certification.view", "certification.review"):
                continue
            filled = path
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    ids = {"community_id": park.id, "building_id": park.tower.id}
                    ids |= {"house_id": park.flat.id, "unit_id": park.unit.id}
                    ids |= {"company_id": park.company.id}
                    value = str(ids.get(parameter["name"], park.flat.id))
                    filled = filled.replace("{" + parameter["name"] + "}", value)
            answer = await api.client.request(method, filled, headers=reviewer.headers)
            if answer.status_code not in (403, 404):
                allowed.append((operation["operationId"], needed, answer.status_code))
    # It names the community it works in, and nothing it may change.
    assert {needed for _, needed, _ in allowed} <= {"community.view"}


async def file_of(api: Api, who: Person) -> StoredFile:
    return await StoredFile.create(
        account_id=who.account.id,
        name="房产证.pdf",
        kind=FileKind.PDF,
        media_type="application/pdf",
        size=1,
        sha256="",
        created_at=api.time(),
    )
