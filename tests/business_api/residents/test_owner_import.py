"""Owners in the workbook of houses."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from business_api.imports import running
from business_api.imports.models import ImportFault, ImportJob, ImportPart, ImportState
from business_api.people import persons
from business_api.people.models import ConsentRecord, IdType, Person
from business_api.places.models import House, HouseState
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from device_registry.access import grants
from tests.business_api.conftest import Api, Estate
from tests.business_api.imports.workbooks import read, workbook
from tests.support.statements import statements

HEADER = (
    *("楼栋编号", "单元", "房屋编号"),
    *("业主姓名", "联系电话", "证件类型", "证件号码", "同意登记证件"),
)
ID_NUMBER = "11010519491231002X"
PHONE = "13800138000"


async def uploaded(
    api: Api, park: Estate, rows: Sequence[Sequence[Any]], *, dry_run: bool = False
) -> ImportJob:
    body = workbook(HEADER, [(*row, *[None] * (len(HEADER) - len(row))) for row in rows])
    path = f"/v1/imports?kind=houses&community_id={park.id}&dry_run={dry_run}"
    answer = await api.client.post(path, content=body, headers=park.headers)
    assert answer.status_code == 202, answer.text
    return await ImportJob.get(id=answer.json()["id"])


async def imported(
    api: Api, park: Estate, rows: Sequence[Sequence[Any]], *, dry_run: bool = False
) -> ImportJob:
    job = await uploaded(api, park, rows, dry_run=dry_run)
    await running.run(api.context, job.id)
    await job.refresh_from_db()
    assert job.state is ImportState.DONE, job.failure
    return job


def counts(job: ImportJob) -> tuple[int, int, int, int]:
    return (job.created, job.updated, job.unchanged, job.refused)


async def test_owners_move_in_once(api: Api, park: Estate) -> None:
    rows = [
        ("01", "1", "0101", "张三", PHONE, "居民身份证", ID_NUMBER, "是"),
        ("01", "1", "0102", "张三", PHONE),
        ("01", "1", "0103", "李四"),
        ("01", "1", "0104"),
    ]
    assert counts(await imported(api, park, rows, dry_run=True)) == (3, 1, 0, 0)
    assert await Person.all().count() == 0
    assert counts(await imported(api, park, rows)) == (3, 1, 0, 0)
    assert counts(await imported(api, park, rows)) == (0, 0, 4, 0)

    zhang, li = await Person.get(name="张三"), await Person.get(name="李四")
    shown = await persons.masked(api.context, zhang)
    assert (shown.phone, shown.id_number) == ("138****8000", "1101**********002X")
    assert zhang.id_type is IdType.RESIDENT_ID
    assert [one.person_id for one in await ConsentRecord.all()] == [zhang.id]
    homes = await Occupancy.all().select_related("house", "person").order_by("house__code")
    assert [(home.house.code, home.person.id, home.type) for home in homes] == [
        ("0101", zhang.id, ResidentType.OWNER),
        ("0102", zhang.id, ResidentType.OWNER),
        ("0103", li.id, ResidentType.OWNER),
    ]
    assert {home.created_by for home in homes} == {park.admin.id}
    states = dict(await House.filter(unit=park.unit).values_list("code", "state"))
    assert states["0104"] is HouseState.VACANT
    assert {states[code] for code in ("0101", "0102", "0103")} == {HouseState.OCCUPIED}


async def test_what_is_missing_is_added_and_what_is_known_stays(api: Api, park: Estate) -> None:
    await imported(api, park, [("01", "1", "0101", "张三")])
    job = await imported(api, park, [("01", "1", "0101", "张三", PHONE)])
    assert counts(job) == (0, 1, 0, 0)
    row = ("01", "1", "0101", "张三", PHONE, "居民身份证", ID_NUMBER, "是")
    assert counts(await imported(api, park, [row])) == (0, 1, 0, 0)
    assert counts(await imported(api, park, [("01", "1", "0101", "张三")])) == (0, 0, 1, 0)
    zhang = await Person.get(name="张三")
    assert await persons.phone_of(api.context, zhang) == f"+86{PHONE}"
    other = ("01", "1", "0101", "张三", PHONE, "护照", "E12345678", "是")
    assert counts(await imported(api, park, [other])) == (0, 0, 0, 1)
    assert await Occupancy.all().count() == 1


async def test_rows_that_do_not_fit_say_why(api: Api, park: Estate) -> None:
    family = await persons.create(
        api.context, "platform", park.site, persons.NewPerson("王五", PHONE)
    )
    await moves.move_in(api.context, "platform", park.flat, family, ResidentType.FAMILY)
    wrong = ID_NUMBER[:-1] + "1"
    job = await imported(
        api,
        park,
        [
            ("01", "1", "0201", None, PHONE),
            ("01", "1", "0202", "张三", "12"),
            ("01", "1", "0203", "张三", PHONE, "居民身份证", wrong, "是"),
            ("01", "1", "0204", "张三", PHONE, "居民身份证", None, "是"),
            ("01", "1", "0205", "张三", PHONE, "护照", "E12345678"),
            ("01", "1", "0206", "张三", PHONE, "军官证", "E12345678", "是"),
            ("01", "1", "0101", "王五", PHONE),
        ],
    )
    assert counts(job) == (0, 0, 0, 7)
    faults = await ImportFault.filter(import_id=job.id).order_by("line")
    assert [[reason["code"] for reason in fault.reasons] for fault in faults] == [
        ["owner-name-needed"],
        ["bad-phone"],
        ["bad-id-number"],
        ["id-pair"],
        ["consent-needed"],
        ["not-a-choice"],
        ["resident-there"],
    ]
    assert await House.filter(code__startswith="02").count() == 0


async def test_the_doors_follow_an_owner_who_has_an_account(api: Api, park: Estate) -> None:
    account = await api.account("zhang")
    new = persons.NewPerson("张三", PHONE)
    await persons.create(api.context, "platform", park.site, new, account_id=account.id)
    await imported(api, park, [("01", "1", "0101", "张三", PHONE)])
    for place in (park.id, park.tower.id, park.unit.id):
        assert len(await grants.remote(account.id, place)) == 1
    headers = await api.headers("zhang")
    answer = await api.client.get(f"/v1/houses/{park.flat.id}", headers=headers)
    assert answer.status_code == 200


async def test_somebody_whose_time_ran_out_comes_back(api: Api, park: Estate) -> None:
    zhang = await persons.create(
        api.context, "platform", park.site, persons.NewPerson("张三", PHONE)
    )
    until = api.time() + timedelta(days=1)
    await moves.move_in(
        *(api.context, "platform", park.flat, zhang, ResidentType.TENANT), valid_to=until
    )
    api.time.ahead = timedelta(days=2)
    park.headers = await api.headers("admin")
    assert counts(await imported(api, park, [("01", "1", "0101", "张三", PHONE)])) == (0, 1, 0, 0)
    homes = await Occupancy.filter(person=zhang).order_by("created_at")
    assert [(home.type, home.end_reason) for home in homes] == [
        (ResidentType.TENANT, "expired"),
        (ResidentType.OWNER, ""),
    ]


async def test_nothing_of_people_is_kept_in_clear(api: Api, park: Estate) -> None:
    job = await imported(
        api,
        park,
        [
            ("01", "1", "0101", "张三", PHONE, "居民身份证", ID_NUMBER, "是"),
            ("01", "1", "0102", "张三", PHONE, "护照", ID_NUMBER, "是"),
        ],
    )
    assert counts(job) == (0, 1, 0, 1)
    answer = await api.client.get(f"/v1/imports/{job.id}/errors.xlsx", headers=park.headers)
    assert read(answer.content)[1][3:7] == ["张三", PHONE, "护照", ID_NUMBER]  # as it was sent
    rows: list[Any] = []
    for model in (ImportJob, ImportPart, ImportFault, Person, Occupancy):
        rows += await model.all().values()
    assert not [row for row in rows if PHONE in repr(row) or ID_NUMBER in repr(row)]


async def test_a_chunk_costs_the_same_for_any_number_of_owners(api: Api, park: Estate) -> None:
    async def cost(first: int, last: int) -> int:
        rows = [("01", "1", f"{n:04}", f"业主{n}", f"1380013{n:04}") for n in range(first, last)]
        job = await uploaded(api, park, rows)
        with statements() as sql:
            await running.run(api.context, job.id)
        return len(sql)

    await cost(1000, 1001)
    assert await cost(2000, 2003) == await cost(3000, 3190)
    assert await cost(2000, 2003) == await cost(3000, 3190)  # nobody moves in


@pytest.mark.parametrize(("language", "title"), [("zh", "业主姓名"), ("en", "Owner")])
async def test_the_template_tells_of_owners(
    api: Api, park: Estate, language: str, title: str
) -> None:
    answer = await api.client.get(
        f"/v1/import-templates/houses.xlsx?community_id={park.id}",
        headers=park.headers | {"Accept-Language": language},
    )
    titles = read(answer.content)[0]
    assert (len(titles), titles[9]) == (14, title)
