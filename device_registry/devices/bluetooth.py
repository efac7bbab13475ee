"""蓝牙读头: readers imported from a list, each bound to at most one station."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from device_registry.devices.imports import (
    ImportReport,
    Lines,
    at_most,
    chunks,
    csv_rows,
)
from device_registry.devices.models import BluetoothReader
from device_registry.devices.text import printable
from foundation import audit
from foundation.clock import Clock, utc_now
from foundation.errors import DomainError, Kind

_FORM: Final = re.compile(r"[0-9A-Z][0-9A-Z:._-]{0,30}[0-9A-Z]|[0-9A-Z]")
_HEADERS: Final = ("number", "编号", "号码", "读头号码", "蓝牙读头号码", "蓝牙设备号")


class ReaderNotFree(DomainError):
    """The reader is unknown, or bound to a station."""

    kind, code, title = Kind.CONFLICT, "reader-not-free", "The Bluetooth reader is not free"
    title_zh = "蓝牙读头不存在或已被其他设备绑定"


@dataclass(frozen=True, slots=True)
class Reader:
    """One imported reader and the station it is bound to."""

    number: str
    model: str
    device_id: UUID | None
    batch: str


def normal(number: str) -> str:
    """As it is stored: upper case, without spaces and what no screen shows."""
    return printable(number).replace(" ", "").upper()


def wanted(number: str | None) -> str | None:
    """`normal`, of a reader that somebody wants to bind; None for no reader.

    Raises:
        ReaderNotFree: no number looks like this.
    """
    number = normal(number or "")
    if number and not _FORM.fullmatch(number):
        raise ReaderNotFree(f"reader {number[:32]}")
    return number or None


async def import_readers(
    rows: Sequence[Sequence[str]],
    batch: str,
    *,
    actor: str = "platform",
    clock: Clock = utc_now,
) -> ImportReport:
    """Add readers from rows of (number, model); row 1 is line 1, empty rows are skipped.

    A reader that is there already stays as it is, so that a list can be read again.

    Raises:
        TooManyAtOnce: too long a list.
    """
    at_most(len(rows))
    lines: Lines[BluetoothReader] = Lines()
    for line, row in enumerate(rows, start=1):
        if any(cell.strip() for cell in row):
            _take(lines, line, row, batch)
    async with in_transaction():
        new = sorted(set(lines.good) - await _existing(sorted(lines.good)))
        await BluetoothReader.bulk_create(
            [lines.good[number] for number in new], batch_size=500, ignore_conflicts=True
        )
        await audit.append(
            actor=actor,
            action="bluetooth_reader.import",
            object=f"bluetooth_reader_batch/{batch[:40]}",
            clock=clock,
            count=len(new),
        )
    return lines.report(len(new))


async def import_csv(
    text: str, batch: str, *, actor: str = "platform", clock: Clock = utc_now
) -> ImportReport:
    """`import_readers` from CSV text, with or without a header line.

    Raises:
        BadList: it is not CSV.
        TooManyAtOnce: too long a list.
    """
    rows = csv_rows(text, lambda header: header[0].lower() in _HEADERS)
    return await import_readers(rows, batch, actor=actor, clock=clock)


async def free(search: str = "", limit: int = 20) -> list[str]:
    """Numbers for the drop-down: unbound ones that hold `search`. One statement."""
    found = BluetoothReader.filter(device_id__isnull=True, number__contains=normal(search))
    rows = await found.order_by("number").limit(limit).values_list("number", flat=True)
    return [str(number) for number in rows]


async def readers(
    *, search: str = "", bound: bool | None = None, page: int = 1, size: int = 10
) -> tuple[list[Reader], int]:
    """One page of readers by number, and how many there are. Two statements."""
    found = BluetoothReader.filter(
        Q(number__contains=normal(search)) | Q(model__icontains=printable(search).strip())
    )
    if bound is not None:
        found = found.filter(device_id__isnull=not bound)
    rows = await found.order_by("number").offset((page - 1) * size).limit(size)
    return [Reader(r.number, r.model, r.device_id, r.batch) for r in rows], await found.count()


async def bind(number: str, device_id: UUID) -> None:
    """Take an unbound reader for a station, in the caller's transaction. The update decides.

    Raises:
        ReaderNotFree: somebody else was quicker, or there is no such reader.
    """
    row = BluetoothReader.filter(number=number, device_id__isnull=True)
    if not await row.update(device_id=device_id):
        raise ReaderNotFree(f"reader {number[:32]}")


async def let_go(device_id: UUID) -> None:
    """The reader of a station is free again, in the caller's transaction."""
    await BluetoothReader.filter(device_id=device_id).update(device_id=None)


def _take(lines: Lines[BluetoothReader], line: int, row: Sequence[str], batch: str) -> None:
    number, model = normal(row[0]), row[1].strip() if len(row) > 1 else ""
    if not number:
        lines.fault(line, "", "缺少读头号码")
    elif not _FORM.fullmatch(number):
        lines.fault(line, row[0], "读头号码只能是 1 至 32 位数字或字母")
    elif len(model) > 40 or not model.isprintable():
        lines.fault(line, row[0], "型号过长或含有无法显示的字符")
    else:
        lines.take(line, number, BluetoothReader(number=number, model=model, batch=batch[:40]))


async def _existing(numbers: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in chunks(numbers):
        rows = await BluetoothReader.filter(number__in=some).values_list("number", flat=True)
        found.update(str(number) for number in rows)
    return found
