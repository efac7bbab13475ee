"""开门记录 as CSV, a page at a time, so that a long list costs no memory."""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from business_api.csv_text import BOM, csv_text
from business_api.devices.openings import named
from business_api.devices.schemas import OpeningOut
from business_api.devices.wording import method_word, outcome_word
from business_api.language import Language
from device_registry.journal import queries
from device_registry.journal.queries import RecordFilter

_HEADER: Final[dict[Language, Sequence[str]]] = {
    "zh": (
        "时间",
        "门口机",
        "门",
        "方式",
        "结果",
        "代码",
        "房屋",
        "操作人",
        "凭证",
        "备注",
        "编号",
    ),
    "en": (
        *("Time", "Station", "Door", "Method", "Outcome", "Code"),
        *("House", "By", "Credential", "Reason", "Id"),
    ),
}


async def csv_lines(
    wanted: RecordFilter, zone: ZoneInfo, language: Language
) -> AsyncIterator[bytes]:
    """The file in pieces; three statements for every 100 lines."""
    yield BOM + csv_text([_HEADER[language]])
    before: str | None = None
    while True:
        records, before = await queries.records(wanted, before=before, limit=queries.MOST)
        openings = await named(records)
        yield csv_text([_cells(opening, zone, language) for opening in openings])
        if before is None:
            return


def _cells(opening: OpeningOut, zone: ZoneInfo, language: Language) -> list[str]:
    return [
        f"{opening.at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        opening.station_name,
        str(opening.door),
        method_word(opening.method, language),
        outcome_word(opening.outcome, language),
        opening.code,
        opening.house_name,
        opening.by_name,
        opening.cid or "",
        opening.reason,
        opening.id,
    ]
