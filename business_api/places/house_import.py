"""Houses from Excel; buildings and units that are not there are made on the way (F22-F24)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from business_api.imports.kinds import (
    Batch,
    Column,
    Fault,
    Finding,
    ImportKind,
    Outcome,
    Reason,
    Row,
    Words,
)
from business_api.places.house_columns import COLUMNS
from business_api.places.models import Building, House, HouseState, Unit
from business_api.tenancy import place

NAME_DIFFERS: Final = Reason(
    "building-name-differs",
    "与该编号楼栋的名称不一致",
    "is not what the building with this code is called",
)
UNIT_NEEDED: Final = Reason(
    "unit-needed", "该楼栋已启用单元，须填写单元", "is needed: the building has units"
)
NO_UNITS: Final = Reason(
    "no-units", "该楼栋未启用单元，须留空", "must be empty: the building has no units"
)

_CHANGING: Final = ("room_no", "floor", "house_class", "area", "state")
_READ: Final = (
    *("id", "parent_id", "building_id", "operator_id", "company_id", "community_id"),
    *("code", "version", *_CHANGING),
)
"""All but the times, which cost as much to read as everything else together."""
_FOLLOWING: Final = frozenset({HouseState.VACANT, HouseState.OCCUPIED})
_OFFERED: Final = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """A house to write, what it hangs on as far as that is new, and what more there is to do."""

    house: House
    building: Building | None = None
    unit: Unit | None = None
    more: Any = None


@dataclass(frozen=True, slots=True)
class More:
    """Further columns of the same workbook, of a slice above this one: owners.

    Attributes:
        columns: after those of the house.
        permission: needed for them, beside that for houses.
        lock: takes what must be locked before houses are, first of all in the transaction;
            `check` is given what it returns.
        check: given the houses by line (new ones are not stored yet): what it finds about
            each line that says something in these columns. As `ImportKind.check`.
        apply: writes the plans by line, after the houses. As `ImportKind.apply`.
        kicks: as `ImportKind.kicks`.
    """

    columns: Sequence[Column]
    permission: Permission
    lock: Callable[[Batch], Awaitable[Any]]
    check: Callable[[Batch, Any, Mapping[int, House]], Awaitable[Mapping[int, Finding]]]
    apply: Callable[[Batch, Mapping[int, tuple[House, Any]]], Awaitable[None]]
    kicks: tuple[str, ...] = ()


def kind(more: More | None = None) -> ImportKind:
    """The import of houses, with further columns or without."""

    async def check(batch: Batch) -> Sequence[Finding]:
        if more is None:
            return await _check(batch)
        held = await more.lock(batch)
        found = await _check(batch)
        good = {one.row.line: one.plan.house for one in found if one.plan is not None}
        said = await more.check(batch, held, good)
        return [_merged(one, said[one.row.line]) if one.row.line in said else one for one in found]

    async def apply(batch: Batch, findings: Sequence[Finding]) -> None:
        await _apply(batch, findings)
        todo = {
            one.row.line: (one.plan.house, one.plan.more)
            for one in findings
            if one.plan.more is not None
        }
        if more and todo:
            await more.apply(batch, todo)

    return ImportKind(
        name="houses",
        title=Words("房屋", "Houses"),
        scope=ScopeType.COMMUNITY,
        permission=Permission.HOUSE_MANAGE,
        columns=(*COLUMNS, *(more.columns if more else ())),
        identity=lambda values: (
            values["building_code"],
            values["unit_code"] or "",
            values["code"],
        ),
        check=check,
        apply=apply,
        options=_options,
        kicks=more.kicks if more else (),
        also=(more.permission,) if more else (),
    )


@dataclass(slots=True)
class _Known:
    """The places that the rows of a batch are about, those to be made among them."""

    buildings: dict[str, Building]
    units: dict[tuple[UUID, str], Unit]
    houses: dict[tuple[UUID, str], House]
    new: set[UUID] = field(default_factory=set)


async def _check(batch: Batch) -> Sequence[Finding]:
    """See `ImportKind.check`. Three statements."""
    known = await _known(batch)
    found = [_found(batch, row, known) for row in batch.rows]
    if batch.dry_run:
        batch.memory["buildings"] = {
            **batch.memory.get("buildings", {}),
            **{code: one for code, one in known.buildings.items() if one.id in known.new},
        }
    return found


async def _known(batch: Batch) -> _Known:
    """What is there of it, unchanged by others until the transaction ends."""
    community_id = batch.site.community_id
    codes = {name: _codes(batch.rows, name) for name in ("building_code", "unit_code", "code")}
    buildings = (
        await Building.filter(community_id=community_id, code__in=codes["building_code"])
        .order_by("id")
        .select_for_update(no_key=True)
    )
    ids = [building.id for building in buildings]
    units = await Unit.filter(building_id__in=ids, code__in=codes["unit_code"]) if ids else []
    parents = [*ids, *(unit.id for unit in units)]
    there = House.filter(parent_id__in=parents, code__in=codes["code"])
    held = there.order_by("id").select_for_update(no_key=True)
    houses = await held.only(*_READ) if parents else []
    return _Known(
        {**batch.memory.get("buildings", {}), **{one.code: one for one in buildings}},
        {(unit.building_id, unit.code): unit for unit in units},  # type: ignore[attr-defined]
        {(house.parent_id, house.code): house for house in houses},
    )


def _codes(rows: Sequence[Row], name: str) -> list[str]:
    return sorted({row.values[name] for row in rows if row.values[name] is not None})


def _found(batch: Batch, row: Row, known: _Known) -> Finding:
    values, where = row.values, place(batch.site)
    unit_code, name = values["unit_code"], values["building_name"]
    building = known.buildings.get(values["building_code"])
    if building is None:
        building = Building(
            code=values["building_code"],
            name=name or f"{values['building_code'].lstrip('0')}号楼",
            has_units=unit_code is not None,
            **where,
        )
        known.new.add(building.id)
    if faults := _misfits(building, unit_code, name):
        return Finding(row, Outcome.REFUSED, faults)
    known.buildings[building.code] = building
    unit = None
    if unit_code is not None:
        unit = known.units.get((building.id, unit_code))
        if unit is None:
            unit = Unit(building_id=building.id, code=unit_code, **where)
            known.new.add(unit.id)
            known.units[building.id, unit_code] = unit
    house = known.houses.get((unit.id if unit else building.id, values["code"]))
    if house is not None:
        changed = _changed(house, values)
        outcome = Outcome.UPDATED if changed else Outcome.UNCHANGED
        return Finding(row, outcome, plan=Plan(house))
    made = House(
        building_id=building.id,
        unit_id=unit.id if unit else None,
        parent_id=unit.id if unit else building.id,
        code=values["code"],
        **{name: values[name] for name in _CHANGING if values[name] is not None},
        **where,
    )
    known.houses[made.parent_id, made.code] = made
    plan = Plan(
        made,
        building if building.id in known.new else None,
        unit if unit and unit.id in known.new else None,
    )
    return Finding(row, Outcome.CREATED, plan=plan)


def _misfits(building: Building, unit_code: str | None, name: str | None) -> tuple[Fault, ...]:
    faults = []
    if name and name != building.name:
        faults.append(NAME_DIFFERS.at("building_name"))
    if building.has_units and unit_code is None:
        faults.append(UNIT_NEEDED.at("unit_code"))
    if not building.has_units and unit_code is not None:
        faults.append(NO_UNITS.at("unit_code"))
    return tuple(faults)


def _changed(house: House, values: Mapping[str, Any]) -> bool:
    """Put what the row says onto the house; whether that changed anything."""
    changed = False
    for name in _CHANGING:
        value, there = values[name], getattr(house, name)
        follows = name == "state" and value in _FOLLOWING and there in _FOLLOWING
        if value is not None and value != there and not follows:
            setattr(house, name, value)
            changed = True
    return changed


def _merged(house: Finding, more: Finding) -> Finding:
    if more.outcome is Outcome.REFUSED:
        return Finding(house.row, Outcome.REFUSED, more.faults)
    if more.outcome is Outcome.UNCHANGED:
        return house
    outcome = Outcome.UPDATED if house.outcome is Outcome.UNCHANGED else house.outcome
    return Finding(house.row, outcome, plan=replace(house.plan, more=more.plan))


async def _apply(batch: Batch, findings: Sequence[Finding]) -> None:
    """See `ImportKind.apply`. Four statements at most."""
    plans: list[Plan] = [one.plan for one in findings]
    made = [one.plan for one in findings if one.outcome is Outcome.CREATED]
    buildings = {plan.building.id: plan.building for plan in made if plan.building}
    units = {plan.unit.id: plan.unit for plan in made if plan.unit}
    if buildings:
        await Building.bulk_create(buildings.values())
    if units:
        await Unit.bulk_create(units.values())
    if made:
        await House.bulk_create(plan.house for plan in made)
    new = {plan.house.id for plan in made}
    changed = [plan.house for plan in plans if plan.house.id not in new]
    for house in changed:
        house.version += 1
        house.updated_at = batch.context.clock()
    if changed:
        await House.bulk_update(changed, [*_CHANGING, "version", "updated_at"])


async def _options(site: Site) -> Mapping[str, Sequence[str]]:
    """The buildings and units there are. Two statements."""
    here = Building.filter(community_id=site.community_id).order_by("code").limit(_OFFERED)
    buildings = await here
    units = Unit.filter(community_id=site.community_id).distinct().order_by("code")
    return {
        "building_code": [building.code for building in buildings],
        "building_name": list(dict.fromkeys(building.name for building in buildings)),
        "unit_code": list(await units.limit(_OFFERED).values_list("code", flat=True)),  # type: ignore[arg-type]
    }
