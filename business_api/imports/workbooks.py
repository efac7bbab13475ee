"""Writing .xlsx files of any length without holding them: rows go to disk as they come."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import IO, Final
from urllib.parse import quote

import xlsxwriter
from starlette.responses import StreamingResponse
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PIECE: Final = 64 * 1024

PLAIN: Final = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
"""What stands in a cell is text: nothing in it is ever run, followed or rounded."""


class Table:
    """A workbook of one sheet: a header row, then rows of text.

    For use in one thread at a time. The file has no name and is gone with its last holder.
    """

    def __init__(self, title: str, header: Sequence[str]) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (the answer closes it)
        self._book = xlsxwriter.Workbook(self._file, {"constant_memory": True, **PLAIN})
        self._sheet = self._book.add_worksheet(title)
        self._next = 1
        widen(self._sheet, header, self._book.add_format({"num_format": "@"}))
        head = self._book.add_format({"bold": True, "num_format": "@"})
        for at, name in enumerate(header):
            self._sheet.write_string(0, at, name, head)
        self._sheet.freeze_panes(1, 0)

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        """Write rows below the others. Work for a processor: call it in a thread."""
        for row in rows:
            for at, text in enumerate(row):
                if text:
                    self._sheet.write_string(self._next, at, text)
            self._next += 1

    def finish(self) -> IO[bytes]:
        """The whole file, at its beginning."""
        self._book.close()
        self._file.seek(0)
        return self._file

    def discard(self) -> None:
        """Give up in the middle."""
        self._file.close()


def widen(sheet: Worksheet, header: Sequence[str], format_: Format) -> None:
    """Columns wide enough for their titles (Chinese counts double), all of them text."""
    for at, name in enumerate(header):
        width = sum(2 if ord(letter) > 0x2E80 else 1 for letter in name)
        sheet.set_column(at, at, max(12, width + 4), format_)


async def table(
    title: str, header: Sequence[str], rows: AsyncIterator[Sequence[Sequence[str]]]
) -> IO[bytes]:
    """The file with all `rows`, which come in chunks; one chunk is in memory."""
    made = await asyncio.to_thread(Table, title, header)
    try:
        async for chunk in rows:
            await asyncio.to_thread(made.add, chunk)
        return await asyncio.to_thread(made.finish)
    except BaseException:
        made.discard()
        raise


def answer(file: IO[bytes], name: str) -> StreamingResponse:
    """`file` as a download called `name`, in pieces; closed at the end."""

    async def pieces() -> AsyncIterator[bytes]:
        with file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece

    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return StreamingResponse(
        pieces(), media_type=MEDIA_TYPE, headers={"Content-Disposition": disposition}
    )
