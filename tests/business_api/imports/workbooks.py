"""Workbooks for tests: written and read as a spreadsheet does."""

import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter
from python_calamine import CalamineWorkbook


def workbook(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """One sheet; text as text, numbers as numbers."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet()
    for line, row in enumerate([header, *rows]):
        for at, value in enumerate(row):
            if value is not None:
                sheet.write(line, at, value)
    book.close()
    return file.getvalue()


def read(body: bytes, sheet: int = 0) -> list[list[Any]]:
    """The rows of a sheet."""
    return CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(sheet).to_python()
