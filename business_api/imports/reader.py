"""Reads a workbook in a process of its own: `python -m business_api.imports.reader ROWS COLUMNS`.

A workbook comes from outside, and a few hundred bytes of one can ask for 500 GiB: two cells
in opposite corners are enough for the library, which then ends its process. So that process
is not ours. It has a bound of memory and of time, a low priority, no secrets in its
environment, and knows nothing of us: bytes in on stdin, frames out on stdout (4 bytes of
length, then JSON): one `{"header", "total"}`, then `{"rows": [[line, [text, ...]], ...]}`,
and at the end `{"end": true}`; or `{"failure": code}`.
"""

import datetime as dt
import io
import itertools
import json
import os
import resource
import struct
import sys
from collections.abc import Iterator
from typing import Any, Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

MEMORY: Final = 768 * 1024 * 1024
CPU_SECONDS: Final = 120
CHUNK: Final = 200
"""Rows; one transaction each, so few that others hardly wait for it."""
FRAME: Final = 1024 * 1024
"""Bytes; a frame ends with the row that reaches it."""
LONGEST_TEXT: Final = 1000
"""Characters of a cell; no column is as long, so what is cut is refused."""
HEADER_WITHIN: Final = 20

Line = tuple[int, list[str]]


class Refused(Exception):
    """The workbook is not taken; the code says why."""


def main() -> None:
    """Bytes in, frames out."""
    rows, columns = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    os.nice(5)
    try:
        for frame in frames(sys.stdin.buffer.read(), rows, columns):
            _write(frame)
    except Refused as refused:
        _write({"failure": str(refused)})
    except MemoryError:
        _write({"failure": "workbook-too-large"})


def frames(workbook: bytes, most_rows: int, most_columns: int) -> Iterator[dict[str, Any]]:
    """What `main` writes.

    Raises:
        Refused: it cannot be read, or has too much in it.
    """
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(workbook)).get_sheet_by_index(0)
    except (CalamineError, ValueError, OSError, IndexError):
        raise Refused("unreadable-workbook") from None
    if sheet.total_width > most_columns or sheet.total_height > most_rows + HEADER_WITHIN:
        raise Refused("workbook-too-large")
    lines = _lines(sheet)
    first = next(lines, None)
    if first is None or first[0] > HEADER_WITHIN:
        raise Refused("no-header")
    total = sum(1 for _ in _lines(sheet)) - 1
    yield {"header": first[1], "total": total}
    rows: list[Line] = []
    size = 0
    for line in lines:
        rows.append(line)
        size += sum(map(len, line[1]))
        if len(rows) == CHUNK or size > FRAME:
            yield {"rows": rows}
            rows, size = [], 0
    if rows:
        yield {"rows": rows}
    yield {"end": True}


def _lines(sheet: CalamineSheet) -> Iterator[Line]:
    """Rows that hold something, with their number as a spreadsheet shows it."""
    for line, row in zip(itertools.count(1), sheet.iter_rows(), strict=False):
        texts = [_text(value) for value in row]
        if any(texts):
            yield line, texts


def _text(value: object) -> str:
    """A cell as its reader sees it; numbers with the 15 digits a spreadsheet shows."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT].strip()
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else format(value, ".15g")
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "seconds")
    return str(value)


def _write(frame: dict[str, Any]) -> None:
    body = json.dumps(frame).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
