"""住户 from Excel (F25): people of every kind, into houses that are there."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from business_api.accounts import sessions
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.imports import cells
from business_api.imports.kinds import (
    BadCell,
    Batch,
    Column,
    Finding,
    ImportKind,
    Outcome,
    Reason,
    Words,
)
from business_api.places.models import Building, House, Unit
from business_api.residents import people_columns, people_rows, people_writing
from business_api.residents.models import ResidentType
from business_api.residents.people_rows import Said

NO_HOUSE: Final = Reason("no-such-house", "房屋不存在", "is no house of this community")
NOT_A_DATE: Final = Reason("not-a-date", "不是日期（如 2026-05-01）", "is no date (2026-05-01)")

TYPES: Final[Mapping[ResidentType, Words]] = {
    ResidentType.OWNER: Words("业主", "Owner"),
    ResidentType.FAMILY: Words("家庭成员", "Family"),
    ResidentType.TENANT: Words("租客", "Tenant"),
    ResidentType.VISITOR: Words("长期访客", "Long-term visitor"),
}
_PREFIX: Final = "resident_"
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_DATE: Final = re.compile(
    r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?"
)


def _since(cell: str) -> datetime:
    """The beginning of a day in China; a time of day is not looked at."""
    found = _DATE.fullmatch(cell)
    try:
        if found:
            return datetime(*(int(part) for part in found.groups()), tzinfo=_ZONE)  # type: ignore[misc,arg-type]
    except ValueError:
        pass
    raise BadCell(NOT_A_DATE)


_NAME, *_MORE = people_columns.person(_PREFIX, Words("姓名", "Name"), required=True)
COLUMNS: Final = (
    Column(
        "building_code", Words("楼栋编号", "Building code"), cells.code, required=True, example="01"
    ),
    Column(
        "unit_code",
        Words("单元", "Unit"),
        cells.code,
        example="1",
        note=Words("楼栋未启用单元时留空", "Empty where the building has no units"),
    ),
    Column("code", Words("房屋编号", "House code"), cells.code, required=True, example="0101"),
    _NAME,
    Column("type", Words("住户类型", "Kind"), choices=TYPES, required=True, example="业主"),
    *_MORE,
    Column(
        "since",
        Words("入住时间", "Since"),
        _since,
        example="2026-05-01",
        note=Words("留空为即日起", "Empty: from now on"),
    ),
)


def _identity(values: Mapping[str, Any]) -> tuple[Any, ...]:
    house = (values["building_code"], values["unit_code"] or "", values["code"])
    return (*house, values[_NAME.key], values[_PREFIX + people_columns.PHONE] or "")


async def _check(batch: Batch) -> Sequence[Finding]:
    """See `ImportKind.check`. Eight statements at most."""
    said = [Said(row, _PREFIX, row.values["type"], row.values["since"]) for row in batch.rows]
    known = await people_rows.lock(batch, said)
    houses = await _houses(batch)
    found = await people_rows.check(batch, known, said, houses)
    missing = (NO_HOUSE.at("code"),)
    return [
        _with(found[row.line], houses[row.line])
        if row.line in houses
        else Finding(row, Outcome.REFUSED, missing)
        for row in batch.rows
    ]


def _with(finding: Finding, house: House) -> Finding:
    """`apply` is to know where."""
    return Finding(finding.row, finding.outcome, finding.faults, (house, finding.plan))


async def _houses(batch: Batch) -> dict[int, House]:
    """The house of each line, kept from others until the transaction ends. Three statements."""
    codes = {
        name: sorted({row.values[name] for row in batch.rows if row.values[name] is not None})
        for name in ("building_code", "unit_code", "code")
    }
    here = Building.filter(community_id=batch.site.community_id, code__in=codes["building_code"])
    buildings = {one.code: one.id for one in await here}
    units = {
        (one.building_id, one.code): one.id  # type: ignore[attr-defined]
        for one in await Unit.filter(
            building_id__in=list(buildings.values()), code__in=codes["unit_code"]
        )
    }
    parents = [*buildings.values(), *units.values()]
    which = House.filter(parent_id__in=parents, code__in=codes["code"]).order_by("id")
    houses = {(one.parent_id, one.code): one for one in await which.select_for_update(no_key=True)}
    found = {}
    for row in batch.rows:
        building = buildings.get(row.values["building_code"])
        unit = row.values["unit_code"]
        parent = units.get((building, unit)) if unit is not None else building
        house = houses.get((parent, row.values["code"])) if parent else None
        if house is not None:
            found[row.line] = house
    return found


async def _apply(batch: Batch, findings: Sequence[Finding]) -> None:
    await people_writing.apply(batch, {one.row.line: one.plan for one in findings})


RESIDENTS: Final = ImportKind(
    name="residents",
    title=Words("住户", "Residents"),
    scope=ScopeType.COMMUNITY,
    permission=Permission.RESIDENT_MANAGE,
    columns=COLUMNS,
    identity=_identity,
    check=_check,
    apply=_apply,
    kicks=(sessions.TOPIC,),
)
