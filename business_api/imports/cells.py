"""From the text of a cell to a value: what the columns of the kinds are made of."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from business_api.imports.kinds import BadCell, Column, Fault, Reason, Row, Words

MISSING: Final = Reason("missing", "必填", "is needed")
TOO_LONG: Final = Reason("too-long", "最多 {most} 个字符", "has more than {most} characters")
BAD_TEXT: Final = Reason("bad-text", "含有不允许的字符", "has characters that are not allowed")
BAD_CODE: Final = Reason(
    "bad-code", "只能是 1 到 8 位数字或字母", "must be 1 to 8 digits or letters"
)
NOT_A_NUMBER: Final = Reason("not-a-number", "不是数字", "is not a number")
OUT_OF_RANGE: Final = Reason(
    "out-of-range", "应在 {least} 到 {most} 之间", "must be from {least} to {most}"
)
TOO_PRECISE: Final = Reason(
    "too-precise", "小数最多 {places} 位", "has more than {places} decimals"
)
NOT_A_CHOICE: Final = Reason("not-a-choice", "不在可选项中", "is not one of the choices")
TWICE: Final = Reason("twice", "与第 {line} 行重复", "is the same as row {line}")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,8}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")


def text(most: int) -> Callable[[str], str]:
    """One line of at most `most` characters."""

    def read(cell: str) -> str:
        if len(cell) > most:
            raise BadCell(TOO_LONG, most=most)
        if _CONTROL.search(cell):
            raise BadCell(BAD_TEXT)
        return cell

    return read


def code(cell: str) -> str:
    """A code as of buildings and houses: `schemas.Code`."""
    if not _CODE.fullmatch(cell):
        raise BadCell(BAD_CODE)
    return cell


def integer(least: int, most: int) -> Callable[[str], int]:
    """A whole number."""

    def read(cell: str) -> int:
        number = _number(cell)
        if number != number.to_integral_value():
            raise BadCell(TOO_PRECISE, places=0)
        if not least <= number <= most:
            raise BadCell(OUT_OF_RANGE, least=least, most=most)
        return int(number)

    return read


def decimal(least: str, most: str, places: int) -> Callable[[str], Decimal]:
    """An exact number with at most `places` decimals."""

    def read(cell: str) -> Decimal:
        number = _number(cell)
        if not Decimal(least) <= number <= Decimal(most):
            raise BadCell(OUT_OF_RANGE, least=least, most=most)
        rounded = number.quantize(Decimal(1).scaleb(-places))
        if rounded != number:
            raise BadCell(TOO_PRECISE, places=places)
        return rounded

    return read


def _number(cell: str) -> Decimal:
    if not _NUMBER.fullmatch(cell):
        raise BadCell(NOT_A_NUMBER)
    try:
        return Decimal(cell)
    except InvalidOperation:
        raise BadCell(NOT_A_NUMBER) from None


def chosen(choices: Mapping[Any, Words], cell: str) -> Any:
    """The choice that is called so in either language, or has this value."""
    wanted = cell.casefold()
    for value, words in choices.items():
        if wanted in (words.zh.casefold(), words.en.casefold(), str(value).casefold()):
            return value
    raise BadCell(NOT_A_CHOICE)


def read_row(
    line: int, cells: Sequence[str], columns: Sequence[Column | None], all_: Sequence[Column]
) -> tuple[Row, tuple[Fault, ...]]:
    """A row's values, and what is wrong with its cells.

    Args:
        line: in the sheet.
        cells: their texts; missing ones at the end are empty.
        columns: the column of each cell, None for one that is not read.
        all_: the kind's columns; those not in the file are None.
    """
    values: dict[str, Any] = dict.fromkeys(column.key for column in all_)
    faults: list[Fault] = []
    texts = {
        column.key: cells[at].strip()
        for at, column in enumerate(columns)
        if column is not None and at < len(cells)
    }
    for column in all_:
        cell = texts.get(column.key, "")
        if not cell:
            if column.required:
                faults.append(MISSING.at(column.key))
            continue
        try:
            values[column.key] = (
                chosen(column.choices, cell) if column.choices else column.read(cell)
            )
        except BadCell as bad:
            faults.append(bad.reason.at(column.key, **bad.facts))
    return Row(line, values), tuple(faults)
