"""CSV that spreadsheets open without harm."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

BOM: Final = "\N{BYTE ORDER MARK}".encode()
"""First in a file, so that Excel knows it for UTF-8."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""With one of these first, a spreadsheet takes a cell for a formula and runs it."""


def csv_text(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as lines of CSV in UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def harmless(cell: str) -> str:
    """`cell` as text for any spreadsheet: what looks like a formula gets an apostrophe."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
