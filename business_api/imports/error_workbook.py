"""The rows that were refused, as they came, with their reasons: to be put right and sent again."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import IO, Any
from uuid import UUID

from business_api.imports import parts, reading, workbooks
from business_api.imports.errors import NoErrorWorkbook
from business_api.imports.headers import REASONS
from business_api.imports.kinds import Column, ImportKind, Imports, Words
from business_api.imports.models import ImportFault, ImportJob
from business_api.imports.reading import Sheet, Unreadable
from business_api.language import Language
from foundation.runner import Context

_TITLE = Words("错误明细", "Errors")


async def made(context: Context, job: ImportJob, language: Language) -> IO[bytes]:
    """The workbook, of any length: a statement for every 200 rows of the original.

    Raises:
        NoErrorWorkbook: no row was refused, or the original is gone.
    """
    if not job.refused:
        raise NoErrorWorkbook
    imports = context.need(Imports)
    async with imports.making:
        try:
            async with (
                aclosing(parts.pieces(context, job.id)) as pieces,
                reading.opened(pieces) as sheet,
            ):
                reasons = REASONS.of(language)
                titles = [title for title in sheet.header if title not in REASONS]
                rows = _refused(sheet, job.id, imports.kind(job.kind), language)
                async with aclosing(rows):
                    return await workbooks.table(_TITLE.of(language), [*titles, reasons], rows)
        except Unreadable:
            raise NoErrorWorkbook from None


async def _refused(
    sheet: Sheet, import_id: UUID, kind: ImportKind, language: Language
) -> AsyncGenerator[Sequence[Sequence[str]]]:
    columns = {column.key: column for column in kind.columns}
    kept = [at for at, title in enumerate(sheet.header) if title not in REASONS]
    async with aclosing(sheet.chunks()) as chunks:
        async for lines in chunks:
            bad = ImportFault.filter(
                import_id=import_id, line__gte=lines[0][0], line__lte=lines[-1][0]
            )
            reasons = {fault.line: fault.reasons for fault in await bad}
            yield [
                [
                    *(cells[at] if at < len(cells) else "" for at in kept),
                    said(reasons[line], columns, language),
                ]
                for line, cells in lines
                if line in reasons
            ]


def said(
    reasons: Sequence[Mapping[str, Any]], columns: Mapping[str, Column], language: Language
) -> str:
    """Reasons in one line: 面积：不是数字；房号：必填."""
    colon, stop = ("：", "；") if language == "zh" else (": ", "; ")
    said_ = []
    for reason in reasons:
        column = columns.get(reason["column"])
        where = f"{column.title.of(language)}{colon}" if column else ""
        said_.append(where + str(reason[language]))
    return stop.join(said_)
