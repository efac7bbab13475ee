"""Personal data of applications: sealed, and gone when nobody needs them any more."""

from datetime import timedelta

import pytest

from business_api.certification import forgetting, jobs
from business_api.certification.models import Certification
from business_api.files.models import StoredFile
from foundation.db import connection
from tests.business_api.certification.applicants import Person, id_number, person
from tests.business_api.certification.test_tenants import file_of
from tests.business_api.conftest import Api, Estate

LATER = forgetting.KEPT + timedelta(minutes=1)


@pytest.fixture
async def zhang(api: Api) -> Person:
    return await person(api, "zhang", "+8613811112222")


async def forget(api: Api) -> None:
    await jobs.handlers(api.context)[jobs.FORGET]({})


async def test_numbers_stand_nowhere_in_clear(api: Api, park: Estate, zhang: Person):
    await zhang.applied(park.flat, "owner")
    admin = Person(api, park.admin, park.headers, "")
    listed = (await admin.get("/certifications")).text
    rows = [str(dict(row)) for row in await _everything()]
    for secret in (id_number(1), "13811112222"):
        assert secret not in listed
        assert not [row for row in rows if secret in row]


async def test_what_was_rejected_is_forgotten_after_thirty_days(
    api: Api, park: Estate, zhang: Person
):
    paper = await file_of(api, zhang)
    mine = await zhang.applied(park.flat, "owner", file_ids=[str(paper.id)])
    admin = Person(api, park.admin, park.headers, "")
    await admin.post(f"/certifications/{mine['id']}/reject", {"reason": "不符"})
    await forget(api)
    assert (await Certification.get(id=mine["id"])).data_key is not None
    api.time.ahead += LATER
    await forget(api)
    row = await Certification.get(id=mine["id"])
    assert (row.data_key, row.phone_sealed, row.id_number_sealed) == (None, None, None)
    assert (row.name, row.state) == ("", "rejected")
    assert (await StoredFile.get(id=paper.id)).attached_to is None
    await zhang.sign_in_again()
    found = (await zhang.get(f"/me/certifications/{mine['id']}")).json()
    assert (found["phone"], found["id_number"], found["files"]) == ("", "", [])


async def test_what_is_open_is_kept(api: Api, park: Estate, zhang: Person):
    mine = await zhang.applied(park.flat, "owner")
    api.time.ahead += LATER
    await forget(api)
    row = await Certification.get(id=mine["id"])
    assert (row.name, row.forgotten_at) == ("张三", None)


async def test_what_is_taken_back_is_gone_at_once(api: Api, park: Estate, zhang: Person):
    paper = await file_of(api, zhang)
    mine = await zhang.applied(park.flat, "owner", file_ids=[str(paper.id)])
    answer = await zhang.post(f"/me/certifications/{mine['id']}/cancel")
    assert (answer.json()["id_number"], answer.json()["files"]) == ("", [])
    assert (await Certification.get(id=mine["id"])).data_key is None
    assert (await StoredFile.get(id=paper.id)).attached_to is None


async def test_who_lives_there_is_still_known_by_name(api: Api, park: Estate, zhang: Person):
    paper = await file_of(api, zhang)
    mine = await zhang.applied(park.flat, "owner", file_ids=[str(paper.id)])
    admin = Person(api, park.admin, park.headers, "")
    await admin.post(f"/certifications/{mine['id']}/approve")
    api.time.ahead += LATER
    await forget(api)
    assert (await StoredFile.get(id=paper.id)).attached_to is None
    admin.headers = await api.headers("admin")
    shown = (await admin.get(f"/certifications/{mine['id']}")).json()
    assert (shown["name"], shown["phone"], shown["files"]) == ("张三", "138****2222", [])


async def _everything() -> list[object]:
    """All rows of all tables that an application touches."""
    rows: list[object] = []
    for table in (
        "business_certification",
        "business_certification_event",
        "business_message",
        "audit_event",
    ):
        rows += await connection().execute_query_dict(f"SELECT * FROM {table}")
    return rows
