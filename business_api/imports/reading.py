"""Our end of the process that reads a workbook (`reader`)."""

import asyncio
import json
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 60
_LONGEST_FRAME: Final = 64 * 1024 * 1024


class Unreadable(Exception):
    """The workbook cannot be taken, or not to its end; `code` is one of `failures.FAILURES`."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Sheet:
    """The first sheet of a workbook: its header row, and how many rows follow it."""

    header: list[str]
    total: int
    _out: asyncio.StreamReader

    async def chunks(self) -> AsyncGenerator[list[tuple[int, list[str]]]]:
        """Rows with their line numbers, up to 200 at once; empty rows are left out.

        The reader waits while nobody asks, so that one chunk is in memory.

        Raises:
            Unreadable: it ended in the middle.
        """
        while "end" not in (frame := await _frame(self._out)):
            yield [(line, cells) for line, cells in frame["rows"]]


@asynccontextmanager
async def opened(pieces: AsyncIterator[bytes]) -> AsyncIterator[Sheet]:
    """Read the workbook that `pieces` make together.

    Raises:
        Unreadable: it is damaged, empty, or has more in it than is taken.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "business_api.imports.reader"),
        *(str(MOST_ROWS), str(MOST_COLUMNS)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={},
    )
    into, out = process.stdin, process.stdout
    if into is None or out is None:
        raise RuntimeError("a process without pipes")
    try:
        # It reads all before it writes; if it dies, what it wrote tells.
        with suppress(BrokenPipeError, ConnectionResetError):
            async for piece in pieces:
                into.write(piece)
                await into.drain()
            into.close()
        first = await _frame(out)
        yield Sheet(first["header"], first["total"], out)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await out.read()  # what is left in the pipe; unread, it would keep the pipe open
        await process.wait()


async def _frame(out: asyncio.StreamReader) -> dict[str, Any]:
    try:
        (length,) = struct.unpack(">I", await out.readexactly(4))
        if length > _LONGEST_FRAME:
            raise Unreadable("workbook-too-large")
        frame: dict[str, Any] = json.loads(await out.readexactly(length))
    except asyncio.IncompleteReadError:
        # Out of memory or out of time: the library aborts, the system kills.
        raise Unreadable("workbook-too-large") from None
    if "failure" in frame:
        raise Unreadable(frame["failure"])
    return frame
