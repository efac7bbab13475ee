"""`linli device codes` and `linli device readers`."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from device_registry.devices import bluetooth, communication_codes
from device_registry.devices.imports import BadList, ImportReport
from device_registry.devices.states import CodeState
from foundation.commands import actor, awaited, opened, plain, print_page

codes = typer.Typer(help="The pool of communication codes (通讯码).", no_args_is_help=True)
readers = typer.Typer(help="Bluetooth readers (蓝牙读头).", no_args_is_help=True)

_SHOWN_ERRORS: Final = 20

Search = Annotated[str, typer.Option(help="Part of a name, number or code.")]
Page = Annotated[int, typer.Option(min=1)]
Size = Annotated[int, typer.Option(min=1, max=100)]


@codes.command("generate")
@awaited
async def generate_codes(
    count: Annotated[int, typer.Argument(min=1, max=communication_codes.MOST_GENERATED)],
    *,
    batch: str = "",
) -> None:
    """Add new codes to the pool and print them."""
    async with opened():
        made = await communication_codes.generate(count, batch, actor=actor())
    print(*made, sep="\n")


@codes.command("import")
@awaited
async def import_codes(file: Path, *, batch: str = "") -> None:
    """Add codes from a text file, one a line."""
    listed = _text(file).splitlines()
    async with opened():
        _report(await communication_codes.import_codes(listed, batch, actor=actor()))


@codes.command("list")
@awaited
async def list_codes(
    *,
    state: Annotated[CodeState | None, typer.Option(help="Empty: all.")] = None,
    search: Search = "",
    page: Page = 1,
    size: Size = 20,
) -> None:
    """List the pool."""
    async with opened():
        rows, total = await communication_codes.codes(
            search=search, state=state, page=page, size=size
        )
    table = Table("Code", "State", "MAC", "Batch")
    for row in rows:
        table.add_row(row.code, row.state, row.mac or "", row.batch)
    print_page(table, total)


@codes.command("freeze")
@awaited
async def freeze_code(code: str) -> None:
    """Keep a free code back."""
    async with opened():
        await communication_codes.freeze(code, actor=actor())


@codes.command("unfreeze")
@awaited
async def unfreeze_code(code: str) -> None:
    """Give a frozen code free."""
    async with opened():
        await communication_codes.unfreeze(code, actor=actor())


@codes.command("recycle")
@awaited
async def recycle_code(code: str) -> None:
    """Let a retired code be bound once more."""
    async with opened():
        await communication_codes.recycle(code, actor=actor())


@readers.command("import")
@awaited
async def import_readers(file: Path, *, batch: str = "") -> None:
    """Add readers from a CSV file: number, model."""
    text = _text(file)
    async with opened():
        _report(await bluetooth.import_csv(text, batch, actor=actor()))


@readers.command("list")
@awaited
async def list_readers(*, search: Search = "", page: Page = 1, size: Size = 20) -> None:
    """List imported readers."""
    async with opened():
        rows, total = await bluetooth.readers(search=search, page=page, size=size)
    table = Table("Number", "Model", "Station", "Batch")
    for row in rows:
        table.add_row(row.number, row.model, plain(row.device_id), row.batch)
    print_page(table, total)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadList(f"{file}: not UTF-8") from None


def _report(report: ImportReport) -> None:
    """Say what became of a list; exit code 1 when not every line was taken."""
    print(f"{report.added} added, {report.known} known already, {report.failed} refused")
    for error in report.errors[:_SHOWN_ERRORS]:
        print(f"line {error.line}: {error.value}: {error.reason}")
    if report.failed > _SHOWN_ERRORS:
        print(f"and {report.failed - _SHOWN_ERRORS} more")
    if report.failed:
        raise typer.Exit(1)
