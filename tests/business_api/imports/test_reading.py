"""Workbooks that were made to hurt whoever reads them, and cells of every kind."""

import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date

import pytest
import xlsxwriter

from business_api.imports import reading
from business_api.imports.reading import Unreadable
from tests.business_api.imports.workbooks import workbook


async def whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def rows_of(body: bytes) -> tuple[list[str], int, list[tuple[int, list[str]]]]:
    rows: list[tuple[int, list[str]]] = []
    async with reading.opened(whole(body)) as sheet, aclosing(sheet.chunks()) as chunks:
        async for chunk in chunks:
            assert len(chunk) <= 200
            rows += chunk
        return sheet.header, sheet.total, rows


async def failure(body: bytes) -> str:
    with pytest.raises(Unreadable) as raised:
        await rows_of(body)
    return raised.value.code


async def test_cells_are_text_as_a_spreadsheet_shows_them() -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(2, 0, ["a", " b ", "c"])
    sheet.write_row(4, 0, ["0101", 101, 88.1])
    sheet.write_row(5, 0, [88.1 + 1e-14, 12345678901, True])
    sheet.write_datetime(6, 0, date(2024, 5, 6), day)
    sheet.write_string(6, 1, "　全角空格　")
    sheet.write_formula(6, 2, "=1+1", None, 2)
    sheet.write_string(7, 0, "x" * 5000)
    book.close()

    header, total, rows = await rows_of(file.getvalue())
    assert (header, total) == (["a", "b", "c"], 4)
    assert rows[:2] == [(5, ["0101", "101", "88.1"]), (6, ["88.1", "12345678901", "1"])]
    assert rows[2] == (7, [str(date(2024, 5, 6)), "全角空格", "2"])
    assert rows[3][0] == 8
    assert len(rows[3][1][0]) == 1000


async def test_many_rows_come_in_chunks() -> None:
    body = workbook(("a", "b"), [(f"x{number}", "y" * 900) for number in range(3000)])
    _, total, rows = await rows_of(body)
    assert (total, len(rows)) == (3000, 3000)
    assert [line for line, _ in rows] == list(range(2, 3002))


async def test_two_cells_far_apart_do_not_take_the_memory_of_everything_between() -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    sheet.write_string(0, 0, "a")
    sheet.write_string(1048575, 16383, "b")
    book.close()
    assert len(file.getvalue()) < 10_000
    assert await failure(file.getvalue()) == "workbook-too-large"


async def test_a_zip_that_swells() -> None:
    plain = workbook(("a",), [("x",)])
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(plain)) as source,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for name in source.namelist():
            with target.open(name, "w") as entry:
                if name == "xl/sharedStrings.xml":
                    entry.write(b"<sst><si><t>")
                    for _ in range(800):
                        entry.write(b"a" * 1024 * 1024)
                    entry.write(b"</t></si></sst>")
                else:
                    entry.write(source.read(name))
    assert len(file.getvalue()) < 8 * 1024 * 1024
    assert await failure(file.getvalue()) in ("workbook-too-large", "unreadable-workbook")


async def test_too_many_rows_or_columns() -> None:
    wide = workbook([f"c{number}" for number in range(100)], [])
    assert await failure(wide) == "workbook-too-large"
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    sheet.write_string(0, 0, "a")
    sheet.write_string(reading.MOST_ROWS + 100, 0, "b")
    book.close()
    assert await failure(file.getvalue()) == "workbook-too-large"


@pytest.mark.parametrize("cut", [0, 4, 100, 1000, -200, -1])
async def test_what_cannot_be_read(cut: int) -> None:
    body = workbook(("a",), [("x",)])[:cut]
    assert await failure(body) == "unreadable-workbook"


async def test_entities_are_not_unfolded() -> None:
    plain = workbook(("a",), [("x",)])
    levels = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 20}">' for level in range(1, 9))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY l0 "lol">{levels}]>'
        "<sst><si><t>a</t></si><si><t>&l8;</t></si></sst>"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            body = bomb.encode() if name == "xl/sharedStrings.xml" else source.read(name)
            target.writestr(name, body)
    assert await failure(file.getvalue()) == "unreadable-workbook"
