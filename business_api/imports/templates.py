"""The workbook to fill in: titles, drop-downs, an example, and what to write where."""

import asyncio
import io
from collections.abc import Mapping, Sequence

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from business_api.authz.scope import Site
from business_api.imports.kinds import Column, ImportKind, Words
from business_api.imports.workbooks import PLAIN, widen
from business_api.language import Language

_ROWS = 10_000
"""Rows that have drop-downs."""
_OFFERED = 1000
"""Values in one drop-down."""

_SHEETS = (
    Words("数据", "Data"),
    Words("示例", "Example"),
    Words("填写说明", "Notes"),
    Words("选项", "Choices"),
)
_NOTES = (
    Words(
        "带 * 的列必填。留空的单元格不改变已有的值。",
        "Columns with * are needed. An empty cell leaves what is there as it is.",
    ),
    Words(
        "同一文件可重复导入：已有且相同的行不会重复生成。",
        "The same file may be imported again: rows that are there already are not made twice.",
    ),
    Words(
        "编号请按文本填写（如 0101），否则表格软件会去掉前面的 0。",
        "Write codes as text (0101): a spreadsheet drops the leading 0 of a number.",
    ),
    Words(
        "只读取第一个工作表，最多 200000 行。", "Only the first sheet is read, up to 200000 rows."
    ),
)
_NOTE_HEADER = (
    Words("列", "Column"),
    Words("必填", "Needed"),
    Words("说明", "What to write"),
    Words("可选值", "Choices"),
)


async def template(kind: ImportKind, site: Site, language: Language) -> bytes:
    """The template of `kind` for one place."""
    offered = await kind.options(site) if kind.options else {}
    return await asyncio.to_thread(_made, kind, offered, language)


def titles(columns: Sequence[Column], language: Language) -> list[str]:
    """The header row; what is needed has a star."""
    return [column.title.of(language) + ("*" if column.required else "") for column in columns]


def _made(kind: ImportKind, offered: Mapping[str, Sequence[str]], language: Language) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, **PLAIN})
    text = book.add_format({"num_format": "@"})
    bold = book.add_format({"num_format": "@", "bold": True})
    data, example, notes, choices = (book.add_worksheet(name.of(language)) for name in _SHEETS)
    header = titles(kind.columns, language)
    for sheet in (data, example):
        widen(sheet, header, text)
        sheet.write_row(0, 0, header, bold)
        sheet.freeze_panes(1, 0)
    example.write_row(1, 0, [column.example for column in kind.columns], text)
    for at, column in enumerate(kind.columns):
        words = [words.of(language) for words in column.choices.values()]
        values = (words or list(offered.get(column.key, ())))[:_OFFERED]
        if not values:
            continue
        choices.write(0, at, header[at], bold)
        choices.write_column(1, at, values, text)
        letter = xl_col_to_name(at)
        source = f"='{_SHEETS[3].of(language)}'!${letter}$2:${letter}${len(values) + 1}"
        # Offered values are suggestions: a building that is not there yet may be written.
        kind_of = {"validate": "list", "source": source}
        data.data_validation(
            1, at, _ROWS, at, {**kind_of, "error_type": "stop" if words else "information"}
        )
    widen(notes, ["x" * 20, "x" * 6, "x" * 56, "x" * 40], text)
    for line, note in enumerate(_NOTES):
        notes.write_string(line, 0, note.of(language), text)
    top = len(_NOTES) + 1
    notes.write_row(top, 0, [words.of(language) for words in _NOTE_HEADER], bold)
    yes = Words("是", "yes").of(language)
    for line, column in enumerate(kind.columns, top + 1):
        listed = "、".join(words.of(language) for words in column.choices.values())
        cells = [column.title.of(language), yes if column.required else ""]
        notes.write_row(line, 0, [*cells, column.note.of(language), listed], text)
    book.close()
    return file.getvalue()
