"""The pool of 通讯码 and the lists of readers."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tortoise.context import TortoiseContext
from tortoise.transactions import in_transaction

from device_registry.devices import bluetooth, communication_codes
from device_registry.devices.bluetooth import ReaderNotFree, import_csv, import_readers, readers
from device_registry.devices.communication_codes import (
    CodeNotFound,
    CodeNotFree,
    WrongCodeState,
    bind,
    codes,
    free,
    freeze,
    generate,
    import_codes,
    let_go,
    recycle,
    unfreeze,
)
from device_registry.devices.imports import BadList, TooManyAtOnce, csv_rows
from device_registry.devices.models import BluetoothReader, CodeState, CommunicationCode
from foundation.ids import new_id
from foundation.models import AuditEvent
from tests.support.statements import statements

MAC = "00aabbccddee"


async def test_generate(rows: TortoiseContext) -> None:
    made = await generate(1200, "2026-03", actor="account/1")
    assert len(set(made)) == 1200
    assert all(len(code) == 10 and code.isdigit() and code[0] != "0" for code in made)
    page, total = await codes(page=3, size=5)
    assert total == 1200
    assert [row.code for row in page] == made[10:15]
    assert page[0] == communication_codes.Code(made[10], CodeState.FREE, None, "2026-03")
    line = await AuditEvent.get(action="communication_code.generate")
    assert (line.actor, line.facts["count"]) == ("account/1", 1200)


@pytest.mark.parametrize("count", [10_001, 10**9])
async def test_too_many_at_once(rows: TortoiseContext, count: int) -> None:
    with pytest.raises(TooManyAtOnce):
        await generate(count, "")
    assert await CommunicationCode.all().count() == 0


async def test_import_names_every_fault_and_may_be_repeated(rows: TortoiseContext) -> None:
    listed = ["A-100", "a 101", "", "A-100", "x", "A/102", "1" * 17, "-ABC", "4201"]
    report = await import_codes(listed, "b1")
    assert (report.added, report.known, report.failed) == (3, 0, 5)
    assert [(error.line, error.value) for error in report.errors] == [
        (4, "A-100"),
        (5, "x"),
        (6, "A/102"),
        (7, "1" * 17),
        (8, "-ABC"),
    ]
    assert report.errors[0].reason == "与第 1 行重复"
    assert await free() == ["4201", "A-100", "A101"]
    await bind("4201", MAC)
    again = await import_codes(["4201", "4202"], "b2")
    assert (again.added, again.known, again.errors) == (1, 1, ())
    kept = await CommunicationCode.get(code="4201")
    assert (kept.state, kept.batch) == (CodeState.BOUND, "b1")


async def test_the_life_of_a_code(rows: TortoiseContext) -> None:
    await import_codes(["CODE-1"], "")

    async def state() -> CodeState:
        return (await CommunicationCode.get(code="CODE-1")).state

    for refused in (unfreeze, recycle):
        with pytest.raises(WrongCodeState) as caught:
            await refused("code-1")
        assert caught.value.facts["state"] == "free"
    await freeze("code-1")
    with pytest.raises(CodeNotFree):
        await bind("CODE-1", MAC)
    await unfreeze("CODE-1")
    await bind("CODE-1", MAC)
    with pytest.raises(CodeNotFree):
        await bind("CODE-1", "00aabbccddef")
    for refused in (freeze, unfreeze, recycle):
        with pytest.raises(WrongCodeState):
            await refused("CODE-1")
    await let_go("CODE-1", issued=True)
    assert await state() is CodeState.RETIRED
    with pytest.raises(CodeNotFree):
        await bind("CODE-1", MAC)
    await recycle("CODE-1")
    assert await state() is CodeState.FREE
    await bind("CODE-1", MAC)
    await let_go("CODE-1", issued=False)
    assert await state() is CodeState.FREE
    with pytest.raises(CodeNotFound):
        await freeze("CODE-2")


async def test_a_code_is_bound_once(rows: TortoiseContext) -> None:
    [code] = await generate(1, "")

    async def take(mac: str) -> None:
        async with in_transaction():
            await bind(code, mac)

    macs = [f"00aabbccdd{number:02}" for number in range(8)]
    results = await asyncio.gather(*(take(mac) for mac in macs), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == [
        *["CodeNotFree"] * 7,
        "NoneType",
    ]


async def test_the_drop_down_holds_free_codes_only(rows: TortoiseContext) -> None:
    await import_codes(["AB-1", "AB-2", "AB-3", "CD-1", "A_B1"], "")
    await bind("AB-2", MAC)
    await freeze("AB-3")
    assert await free("ab") == ["AB-1"]
    assert await free("_") == ["A_B1"]  # a letter, not a pattern
    assert await free("%") == []
    assert await free("\x00") == await free()
    assert len(await free(limit=2)) == 2
    found, total = await codes(search="AB", state=CodeState.BOUND)
    assert ([code.code for code in found], total) == (["AB-2"], 1)


async def test_import_readers(rows: TortoiseContext) -> None:
    rows_ = [
        ("ble-001", "R1"),
        ("", "R1"),
        (),
        (" ", ""),
        ("BLE-001", "R2"),
        ("BLE 002",),
        ("坏", "R1"),
        ("BLE-003", "x" * 41),
        ("B" * 33, ""),
    ]
    report = await import_readers(rows_, "b1")
    assert (report.added, report.known, report.failed) == (2, 0, 5)
    assert [(error.line, error.reason) for error in report.errors] == [
        (2, "缺少读头号码"),
        (5, "与第 1 行重复"),
        (7, "读头号码只能是 1 至 32 位数字或字母"),
        (8, "型号过长或含有无法显示的字符"),
        (9, "读头号码只能是 1 至 32 位数字或字母"),
    ]
    assert await bluetooth.free() == ["BLE-001", "BLE002"]
    assert (await BluetoothReader.get(number="BLE-001")).model == "R1"


async def test_reading_a_list_again_changes_nothing(rows: TortoiseContext) -> None:
    device = new_id()
    await import_readers([("BLE-1", "R1"), ("BLE-2", "R1")], "b1")
    await bluetooth.bind("BLE-1", device)
    report = await import_readers([("BLE-1", "R9"), ("BLE-2", "R9"), ("BLE-3", "")], "b2")
    assert (report.added, report.known) == (1, 2)
    kept = await BluetoothReader.get(number="BLE-1")
    assert (kept.device_id, kept.model, kept.batch) == (device, "R1", "b1")


@pytest.mark.parametrize(
    "text",
    [
        "BLE-1,R1\nBLE-2,R2\n",
        "number,model\r\nBLE-1,R1\r\nBLE-2,R2\r\n",
        "\N{BYTE ORDER MARK}读头号码;型号\nBLE-1;R1\n\nBLE-2;R2",
        '"BLE-1"\t"R1"\n"BLE-2"\tR2\n',
    ],
)
async def test_import_csv(rows: TortoiseContext, text: str) -> None:
    report = await import_csv(text, "b1")
    assert (report.added, report.errors) == (2, ())
    page, total = await readers()
    assert [(row.number, row.model) for row in page] == [("BLE-1", "R1"), ("BLE-2", "R2")]
    assert total == 2


async def test_lines_are_numbered_as_an_editor_shows_them(rows: TortoiseContext) -> None:
    report = await import_csv("编号,型号\n\nBLE-1,R1\n坏,R1\nBLE-1,R1\n", "b1")
    assert [(error.line, error.reason) for error in report.errors] == [
        (4, "读头号码只能是 1 至 32 位数字或字母"),
        (5, "与第 3 行重复"),
    ]


@pytest.mark.parametrize("text", ['"BLE-1,R1\nBLE-2', 'BLE-1,"R"1"\n'])
async def test_what_is_no_csv(rows: TortoiseContext, text: str) -> None:
    with pytest.raises(BadList) as caught:
        await import_csv(text, "")
    assert caught.value.facts["line"]
    assert await BluetoothReader.all().count() == 0


async def test_a_list_has_an_end(rows: TortoiseContext) -> None:
    with pytest.raises(TooManyAtOnce):
        await import_csv("BLE-1\n" * 20_001, "")
    with pytest.raises(TooManyAtOnce):
        await import_codes(["1234"] * 20_001, "")
    report = await import_csv("坏\n" * 20_000, "")
    assert (len(report.errors), report.failed) == (500, 20_000)


@given(st.text(max_size=200))
def test_any_text_is_rows_or_an_error(text: str) -> None:
    try:
        rows_ = csv_rows(text, lambda _: False)
    except BadList:
        return
    assert len(rows_) <= len(text) + 1


async def test_a_reader_is_bound_once(rows: TortoiseContext) -> None:
    await import_readers([("BLE-1", "")], "")

    async def take() -> None:
        async with in_transaction():
            await bluetooth.bind("BLE-1", new_id())

    results = await asyncio.gather(*(take() for _ in range(6)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == [
        "NoneType",
        *["ReaderNotFree"] * 5,
    ]
    with pytest.raises(ReaderNotFree):
        await bluetooth.bind("BLE-2", new_id())


async def test_readers_by_what_they_are_bound_to(rows: TortoiseContext) -> None:
    await import_readers([("BLE-1", "Reader One"), ("BLE-2", "Reader Two")], "")
    await bluetooth.bind("BLE-1", new_id())
    assert [r.number for r in (await readers(bound=True))[0]] == ["BLE-1"]
    assert [r.number for r in (await readers(bound=False))[0]] == ["BLE-2"]
    assert [r.number for r in (await readers(search="two"))[0]] == ["BLE-2"]
    assert await bluetooth.free("1") == []


@pytest.mark.parametrize("count", [10, 400])
async def test_an_import_costs_the_same_for_few_and_many(rows: TortoiseContext, count: int) -> None:
    with statements() as sql:
        await import_readers([(f"BLE-{number}", "") for number in range(count)], "")
    assert len(sql) <= 5, sql
    with statements() as sql:
        await import_codes([f"CODE-{number}" for number in range(count)], "")
    assert len(sql) <= 5, sql
