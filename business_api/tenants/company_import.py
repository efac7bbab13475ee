"""批量添加 of property companies, from Excel (F2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from business_api import phones
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
from business_api.organisations.models import PropertyCompany

BAD_PHONE: Final = Reason("bad-phone", "电话号码格式不正确", "is not a telephone number")

_CHANGING: Final = ("phone", "address", "contact", "is_owner_committee")


def _phone(cell: str) -> str:
    try:
        return phones.normal(cells.text(40)(cell))
    except phones.BadPhone:
        raise BadCell(BAD_PHONE) from None


_COLUMNS: Final = (
    Column(
        "name",
        Words("公司名称", "Company"),
        cells.text(80),
        required=True,
        example="安居物业服务有限公司",
        note=Words("同一运营公司内不重复", "Once in an operator"),
    ),
    Column("phone", Words("联系电话", "Phone"), _phone, example="0755-83201234"),
    Column("address", Words("公司地址", "Address"), cells.text(200), example="深南大道 1 号"),
    Column("contact", Words("联系人", "Contact"), cells.text(40), example="王经理"),
    Column(
        "is_owner_committee",
        Words("业主委员会", "Owners' committee"),
        choices={False: Words("否", "No"), True: Words("是", "Yes")},
        example="否",
    ),
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A company to write."""

    company: PropertyCompany


async def _check(batch: Batch) -> Sequence[Finding]:
    """See `ImportKind.check`. A company that is there is changed. One statement."""
    names = [row.values["name"] for row in batch.rows]
    there = PropertyCompany.filter(operator_id=batch.site.operator_id, name__in=names)
    known = {row.name: row for row in await there.order_by("id").select_for_update()}
    found = []
    for row in batch.rows:
        said = {name: row.values[name] for name in _CHANGING if row.values[name] is not None}
        company = known.get(row.values["name"])
        if company is None:
            made = _made(batch, row.values["name"], said)
            found.append(Finding(row, Outcome.CREATED, plan=_Plan(made)))
        elif news := {name: new for name, new in said.items() if getattr(company, name) != new}:
            company.update_from_dict({**news, "version": company.version + 1})
            found.append(Finding(row, Outcome.UPDATED, plan=_Plan(company)))
        else:
            found.append(Finding(row, Outcome.UNCHANGED))
    return found


def _made(batch: Batch, name: str, said: Mapping[str, Any]) -> PropertyCompany:
    return PropertyCompany(
        operator_id=batch.site.operator_id,
        name=name,
        created_at=batch.context.clock(),
        created_by=UUID(batch.actor.removeprefix("account/")),
        **said,
    )


async def _apply(_: Batch, findings: Sequence[Finding]) -> None:
    """See `ImportKind.apply`. Two statements at most."""
    made = [one.plan.company for one in findings if one.outcome is Outcome.CREATED]
    changed = [one.plan.company for one in findings if one.outcome is Outcome.UPDATED]
    if made:
        await PropertyCompany.bulk_create(made)
    if changed:
        await PropertyCompany.bulk_update(changed, [*_CHANGING, "version"])


COMPANIES: Final = ImportKind(
    name="companies",
    title=Words("物业公司", "Property companies"),
    scope=ScopeType.OPERATOR,
    permission=Permission.COMPANY_MANAGE,
    columns=_COLUMNS,
    identity=lambda values: values["name"],
    check=_check,
    apply=_apply,
)
