"""Houses in and out of Excel."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from business_api.imports import running
from business_api.imports.models import ImportFault, ImportJob, ImportState
from business_api.places import house_import
from business_api.places.models import Building, House, HouseState, Unit
from foundation.models import AuditEvent
from tests.business_api.conftest import Api, Estate
from tests.business_api.imports.workbooks import read, workbook
from tests.business_api.places.conftest import Admin
from tests.support.statements import statements
from tests.support.until import until

HEADER = (
    *("楼栋编号", "楼栋名称", "单元", "房屋编号", "房号", "楼层", "房屋等级", "面积", "状态"),
)
Cells = Sequence[Any]


async def uploaded(admin: Admin, park: Estate, body: bytes, *, dry_run: bool = False) -> ImportJob:
    path = f"/imports?kind=houses&community_id={park.id}&dry_run={dry_run}"
    answer = await admin.ask("POST", path, content=body)
    assert answer.status_code == 202, answer.text
    return await ImportJob.get(id=answer.json()["id"])


async def imported(
    admin: Admin, park: Estate, rows: Sequence[Cells], *, dry_run: bool = False
) -> ImportJob:
    job = await uploaded(admin, park, workbook(HEADER, rows), dry_run=dry_run)
    await running.run(admin.api.context, job.id)
    await job.refresh_from_db()
    assert job.state is ImportState.DONE, job.failure
    return job


def counts(job: ImportJob) -> tuple[int, int, int, int]:
    return (job.created, job.updated, job.unchanged, job.refused)


def many(houses: int, bad: int = 0) -> list[Cells]:
    """Rows of houses in buildings of 6 units x 20 floors x 4 rooms; every `bad`th is none."""
    rows: list[Cells] = []
    for number in range(houses):
        building, rest = divmod(number, 480)
        unit, rest = divmod(rest, 80)
        floor, room = divmod(rest, 4)
        code = f"{floor + 1:02}{room + 1:02}"
        area: object = "八十" if bad and number % bad == 0 else f"{80 + room}.50"
        name = f"{building + 1}栋"
        place = (f"{building + 1:03}", name, f"{unit + 1}", code, code.lstrip("0"), floor + 1)
        rows.append((*place, "高层", area, "空置"))
    return rows


async def test_buildings_and_units_are_made_on_the_way(admin: Admin, park: Estate) -> None:
    rows = [
        ("03", "三号楼", "1", "0101", "101", 1, "高层", 88.5, "空置"),
        ("03", None, "1", "0102", None, None, None, None, None),
        ("03", "三号楼", "2", "0101", None, None, "multi_storey", "70.25", "出租"),
        ("04", None, None, "01", "A", -1, "独栋", 300, None),
    ]
    assert counts(await imported(admin, park, rows)) == (4, 0, 0, 0)
    three = await Building.get(code="03", community_id=park.id)
    four = await Building.get(code="04", community_id=park.id)
    assert (three.name, three.has_units, four.name, four.has_units) == (
        *("三号楼", True, "4号楼", False),
    )
    assert await Unit.filter(building=three).count() == 2
    listed = await admin.get(f"/houses?building_id={three.id}")
    assert [(one["unit_code"], one["code"], one["area"]) for one in listed["items"]] == [
        ("1", "0101", "88.50"),
        ("1", "0102", None),
        ("2", "0101", "70.25"),
    ]
    villa = await House.get(building=four)
    assert (villa.floor, villa.area, villa.state) == (-1, Decimal(300), HouseState.VACANT)

    assert counts(await imported(admin, park, rows)) == (0, 0, 4, 0)
    rows[3] = ("04", "4号楼", None, "01", None, 2, None, "299.99", "装修")
    assert counts(await imported(admin, park, rows)) == (0, 1, 3, 0)
    villa = await House.get(building=four)
    assert (villa.floor, villa.area, villa.room_no) == (2, Decimal("299.99"), "A")
    assert (villa.state, villa.version) == (HouseState.RENOVATING, 2)


async def test_rows_that_do_not_fit_say_why(admin: Admin, park: Estate) -> None:
    rows: list[Cells] = [
        ("01", "别的名字", "1", "0201", *[None] * 5),
        ("01", None, None, "0202", *[None] * 5),
        ("02", None, "1", "0203", *[None] * 5),
        (None, None, None, None, *[None] * 5),
        ("05", None, "1", "0101", "x" * 21, 999, "城堡", "1.001", "没有"),
        ("06", None, "1", "0101", *[None] * 5),
        ("06", None, None, "0102", *[None] * 5),
        ("06", None, "1", "0101", *[None] * 5),
        ("6号", None, "1", "0101", *[None] * 5),
    ]
    job = await imported(admin, park, rows)
    assert counts(job) == (1, 0, 0, 7)
    faults = {
        fault.line: [(reason["column"], reason["code"]) for reason in fault.reasons]
        for fault in await ImportFault.filter(import_id=job.id)
    }
    assert faults == {
        2: [("building_name", "building-name-differs")],
        3: [("unit_code", "unit-needed")],
        4: [("unit_code", "no-units")],
        6: [
            ("room_no", "too-long"),
            ("floor", "out-of-range"),
            ("house_class", "not-a-choice"),
            ("area", "too-precise"),
            ("state", "not-a-choice"),
        ],
        8: [("unit_code", "unit-needed")],
        9: [("", "twice")],
        10: [("building_code", "bad-code")],
    }
    dry = await imported(admin, park, rows, dry_run=True)
    assert counts(dry) == (0, 0, 1, 7)


async def test_a_dry_run_sees_across_chunks(admin: Admin, park: Estate) -> None:
    rows: list[Cells] = [("07", "七", "1", f"{n:04}", *[None] * 5) for n in range(600)]
    rows += [("07", "八", "1", "9999", *[None] * 5), ("07", None, None, "9998", *[None] * 5)]
    job = await imported(admin, park, rows, dry_run=True)
    assert counts(job) == (600, 0, 0, 2)
    assert await House.filter(community_id=park.id).count() == 2
    assert await Building.filter(community_id=park.id).count() == 2
    assert counts(await imported(admin, park, rows)) == (600, 0, 0, 2)


async def test_who_lives_there_decides_whether_a_house_is_vacant(
    api: Api, admin: Admin, park: Estate
) -> None:
    await House.filter(id=park.flat.id).update(state=HouseState.OCCUPIED)
    row = ("01", None, "1", "0101", *[None] * 4, "空置")
    assert counts(await imported(admin, park, [row])) == (0, 0, 1, 0)
    assert (await House.get(id=park.flat.id)).state is HouseState.OCCUPIED


async def test_what_is_in_another_community_stays(
    admin: Admin, park: Estate, elsewhere: Estate
) -> None:
    await imported(admin, park, [("01", None, "1", "0101", "mine", *[None] * 4)])
    assert (await House.get(id=park.flat.id)).room_no == "mine"
    assert (await House.get(id=elsewhere.flat.id)).room_no == ""


async def test_what_goes_out_comes_in_again(api: Api, admin: Admin, park: Estate) -> None:
    await imported(admin, park, many(1100))
    path = f"/communities/{park.id}/houses.xlsx"
    answer = await admin.ask("GET", path)
    assert answer.status_code == 200
    header, *rows = read(answer.content)
    assert len(rows) == 1102
    assert header == ["楼栋编号*", "楼栋名称", "单元", "房屋编号*", *HEADER[4:]]
    assert [row[:4] for row in rows[:2]] == [
        ["001", "1栋", "1", "0101"],
        ["001", "1栋", "1", "0102"],
    ]
    assert [(row[0], row[2], row[3]) for row in rows] == sorted(
        (row[0], row[2], row[3]) for row in rows
    )
    job = await uploaded(admin, park, answer.content)
    await running.run(api.context, job.id)
    await job.refresh_from_db()
    assert counts(job) == (0, 0, 1102, 0)

    building = await Building.get(code="002", community_id=park.id)
    one = await admin.ask("GET", f"{path}?building_id={building.id}")
    assert len(read(one.content)) == 481
    english = await admin.ask("GET", path, headers={"Accept-Language": "en"})
    assert read(english.content)[1][6] == "High-rise"
    job = await uploaded(admin, park, english.content)
    await running.run(api.context, job.id)
    await job.refresh_from_db()
    assert counts(job) == (0, 0, 1102, 0)
    assert await AuditEvent.filter(action="house.export").count() == 3


async def test_two_thousand_with_bad_rows_killed_and_begun_again(
    api: Api, admin: Admin, park: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short form of `python -m benchmarks --only import_houses`."""
    body = workbook(HEADER, many(2000, bad=100))
    job = await uploaded(admin, park, body)
    real, chunks = running._Run._move, 0

    class Killed(BaseException):
        """The process ends here."""

    async def move(self: Any, *given: Any) -> None:
        nonlocal chunks
        await real(self, *given)
        chunks += 1
        if chunks == 3:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(running._Run, "_move", move)
        with pytest.raises(Killed):
            await running.run(api.context, job.id)
    half = await admin.get(f"/imports/{job.id}")
    assert (half["state"], half["done"], half["total"], half["percent"]) == (
        *("running", 400, 2000, 20),
    )
    assert await House.filter(community_id=park.id).count() == 2 + 396

    async def over() -> bool:
        return (await admin.get(f"/imports/{job.id}"))["state"] == "done"

    async with api.background():
        await until(over, 60)
    await job.refresh_from_db()
    assert counts(job) == (1980, 0, 0, 20)
    assert await House.filter(community_id=park.id).count() == 2 + 1980
    faults = await ImportFault.filter(import_id=job.id).order_by("line")
    assert [fault.line for fault in faults] == list(range(2, 2002, 100))
    assert {reason["code"] for fault in faults for reason in fault.reasons} == {"not-a-number"}
    assert await AuditEvent.filter(action="import.end").count() == 1

    again = await uploaded(admin, park, body)
    await running.run(api.context, again.id)
    await again.refresh_from_db()
    assert counts(again) == (0, 0, 1980, 20)
    assert await House.filter(community_id=park.id).count() == 2 + 1980


async def test_a_chunk_costs_the_same_for_any_number_of_rows(
    api: Api, admin: Admin, park: Estate
) -> None:
    async def cost(rows: Sequence[Cells]) -> int:
        job = await uploaded(admin, park, workbook(HEADER, rows))
        with statements() as sql:
            await running.run(api.context, job.id)
        return len(sql)

    def altered(rows: Sequence[Cells]) -> list[Cells]:
        return [(*row[:4], f"{row[4]}x", *row[5:]) for row in rows]

    rows = many(200)
    await cost(rows[:1])
    assert await cost(rows[1:4]) == await cost(rows[4:80])
    await cost(rows)
    assert await cost(altered(rows[:3])) == await cost(altered(rows))
    assert await cost(altered(rows[:3])) == await cost(altered(rows))  # nothing to do


async def test_the_template_has_the_buildings_of_the_place(
    admin: Admin, park: Estate, sibling: Estate
) -> None:
    await Building.filter(id=sibling.tower.id).update(code="99")
    answer = await admin.ask("GET", f"/import-templates/houses.xlsx?community_id={park.id}")
    assert answer.status_code == 200
    (header,) = read(answer.content)
    assert [title.rstrip("*") for title in header[:9]] == list(HEADER)
    choices = read(answer.content, 3)
    by_column = {title: [row[at] for row in choices[1:]] for at, title in enumerate(choices[0])}
    assert [code for code in by_column["楼栋编号*"] if code] == ["01", "02"]
    assert [word for word in by_column["房屋等级"] if word] == [
        *("高层", "多层", "联排", "独栋", "商业"),
    ]
    foreign = f"/import-templates/houses.xlsx?community_id={sibling.id}"
    assert (await admin.ask("GET", foreign)).status_code == 404
    assert (await admin.ask("GET", "/import-templates/houses.xlsx")).status_code == 422


def test_there_is_no_column_that_nobody_reads() -> None:
    kind = house_import.kind()
    assert [column.title.zh for column in kind.columns] == list(HEADER)
    assert all(column.title.en for column in kind.columns)
