"""Residents from Excel: into houses that are there, once, with reasons for what is not taken."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from business_api.imports import running
from business_api.imports.models import ImportFault, ImportJob, ImportState
from business_api.people import persons
from business_api.people.models import Person
from business_api.people.persons import NewPerson
from business_api.places.models import House, HouseState
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from tests.business_api.conftest import Api, Estate
from tests.business_api.imports.workbooks import read, workbook
from tests.business_api.residents.test_moves import BY, opens
from tests.support.statements import statements

HEADER = (
    *("楼栋编号", "单元", "房屋编号", "姓名", "住户类型"),
    *("证件类型", "证件号码", "联系电话", "同意登记证件", "入住时间"),
)
NUMBER = "11010519491231002X"
PHONE = "13800138000"
FLAT = ("01", "1", "0101")
HOME = ("02", None, "0101")

Rows = Sequence[Sequence[Any]]


async def uploaded(api: Api, park: Estate, rows: Rows, *, dry_run: bool = False) -> ImportJob:
    body = workbook(HEADER, [(*row, *[None] * (len(HEADER) - len(row))) for row in rows])
    path = f"/v1/imports?kind=residents&community_id={park.id}&dry_run={dry_run}"
    answer = await api.client.post(path, content=body, headers=park.headers)
    assert answer.status_code == 202, answer.text
    return await ImportJob.get(id=answer.json()["id"])


async def imported(
    api: Api, park: Estate, rows: Rows, *, dry_run: bool = False
) -> tuple[int, int, int, int]:
    job = await uploaded(api, park, rows, dry_run=dry_run)
    await running.run(api.context, job.id)
    await job.refresh_from_db()
    assert job.state is ImportState.DONE, job.failure
    return (job.created, job.updated, job.unchanged, job.refused)


async def test_everybody_moves_in_once(api: Api, park: Estate) -> None:
    rows = [
        (*FLAT, "张三", "业主", "居民身份证", NUMBER, PHONE, "是", "2019-05-01"),
        (*FLAT, "李四", "家庭成员", None, None, None, None, None),
        (*HOME, "张三", "owner", None, None, f"+86 {PHONE}"),
        (*HOME, "王五", "长期访客", None, None, None, None, "2020年1月2日"),
    ]
    assert await imported(api, park, rows, dry_run=True) == (4, 0, 0, 0)
    assert not await Person.all().exists()
    assert await imported(api, park, rows) == (4, 0, 0, 0)
    assert await imported(api, park, rows) == (0, 0, 4, 0)
    homes = await Occupancy.all().select_related("person", "house").order_by("house_id", "id")
    assert {(home.house.building_id, home.person.name, home.type) for home in homes} == {  # type: ignore[attr-defined]
        (park.tower.id, "张三", ResidentType.OWNER),
        (park.tower.id, "李四", ResidentType.FAMILY),
        (park.villa.id, "张三", ResidentType.OWNER),
        (park.villa.id, "王五", ResidentType.VISITOR),
    }
    assert await Person.all().count() == 3
    zhang = next(home for home in homes if home.house.id == park.flat.id and home.call_order == 1)
    assert zhang.valid_from == datetime(2019, 4, 30, 16, tzinfo=UTC)  # midnight in China
    shown = await persons.masked(api.context, zhang.person)
    assert (shown.phone, shown.id_number) == ("138****8000", "1101**********002X")
    for house in (park.flat, park.home):
        assert (await House.get(id=house.id)).state is HouseState.OCCUPIED


async def test_rows_that_do_not_fit_say_why(api: Api, park: Estate) -> None:
    known = await persons.create(api.context, BY, park.site, NewPerson("王五", PHONE))
    await moves.move_in(api.context, BY, park.flat, known, ResidentType.FAMILY)
    rows = [
        ("09", "1", "0101", "张三", "业主"),
        ("01", None, "0101", "张三", "业主"),
        ("02", "1", "0101", "张三", "业主"),
        (*FLAT, None, "业主"),
        (*FLAT, "张三", None),
        (*FLAT, "张三", "邻居"),
        (*FLAT, "张三", "业主", "护照", "E12345678"),
        (*FLAT, "张三", "租客", None, None, "12"),
        (*FLAT, "李四", "业主", None, None, None, None, "昨天"),
        (*FLAT, "赵六", "业主", None, None, None, None, "2019-02-30"),
        (*FLAT, "钱七", "业主", None, None, None, None, "1900-01-01"),
        (*FLAT, "孙八", "业主", None, None, None, None, "2199-01-01"),
        (*FLAT, "王五", "租客", None, None, PHONE),
        (*HOME, "周九", "业主"),
        (*HOME, "周九", "租客"),
    ]
    assert await imported(api, park, rows) == (1, 0, 0, 14)
    faults = await ImportFault.all().order_by("line")
    assert [[reason["code"] for reason in fault.reasons] for fault in faults] == [
        *(["no-such-house"],) * 3,
        *(["missing"], ["missing"], ["not-a-choice"], ["consent-needed"], ["bad-phone"]),
        *(["not-a-date"], ["not-a-date"], ["bad-validity"], ["bad-validity"]),
        *(["resident-there"], ["twice"]),
    ]


async def test_nobody_moves_into_another_community(api: Api, park: Estate, sibling: Estate) -> None:
    await House.filter(community_id=park.id).delete()
    assert await imported(api, park, [(*FLAT, "张三", "业主")]) == (0, 0, 0, 1)
    assert not await Occupancy.all().exists()


async def test_the_doors_follow(api: Api, park: Estate) -> None:
    account = await api.account("zhang")
    await persons.create(api.context, BY, park.site, NewPerson("张三", PHONE), account.id)
    assert await imported(api, park, [(*FLAT, "张三", "租客", None, None, PHONE)]) == (1, 0, 0, 0)
    assert await opens(api, account.id, park.unit.id, park.villa.id) == [True, False]


async def test_a_chunk_costs_the_same_for_any_number(api: Api, park: Estate) -> None:
    async def cost(count: int, first: int) -> int:
        rows = [
            (*FLAT, f"住户{n}", "家庭成员", None, None, f"139{n:08}")
            for n in range(first, first + count)
        ]
        job = await uploaded(api, park, rows)
        with statements() as sql:
            await running.run(api.context, job.id)
        await job.refresh_from_db()
        assert job.created == count
        return len(sql)

    await cost(1, 0)
    assert await cost(2, 100) == await cost(150, 1000)


async def test_the_template(api: Api, park: Estate) -> None:
    path = f"/v1/import-templates/residents.xlsx?community_id={park.id}"
    answer = await api.client.get(path, headers=park.headers)
    titles = [title.rstrip("*") for title in read(answer.content)[0]]
    assert titles == [
        *("楼栋编号", "单元", "房屋编号", "姓名", "住户类型"),
        *("证件类型", "证件号码", "联系电话", "同意登记证件", "入住时间"),
    ]
