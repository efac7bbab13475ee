"""物业公司, made by its operator (F2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.expressions import RawSQL

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.organisations import editing
from business_api.organisations.models import Operator, PropertyCompany
from business_api.organisations.searching import called
from foundation.runner import Context

_COMMUNITIES = (
    "(SELECT count(*) FROM business_community c"
    ' WHERE c.company_id = "business_property_company".id)'
)


@dataclass(frozen=True, slots=True)
class NewCompany:
    """A property company to be. `phone` as it was typed."""

    name: str
    phone: str = ""
    address: str = ""
    contact: str = ""
    is_owner_committee: bool = False
    """业主委员会: owners who manage their community themselves."""


async def create_company(
    context: Context, actor: Actor | str, operator: Operator, new: NewCompany
) -> PropertyCompany:
    """Add a property company to an operator.

    Raises:
        NameTaken: the operator has one of this name.
        BadPhone: the phone is none.
    """
    row = PropertyCompany(
        operator_id=operator.id,
        name=new.name,
        phone=editing.phone(new.phone),
        address=new.address,
        contact=new.contact,
        is_owner_committee=new.is_owner_committee,
    )
    return await editing.make(context, actor, row)


async def change_company(
    context: Context, actor: Actor, row: PropertyCompany, changes: Mapping[str, Any], version: int
) -> PropertyCompany:
    """Change some of `NewCompany`'s fields, if the row is still at `version`.

    Raises:
        Stale, NameTaken, BadPhone: see `editing`.
    """
    return await editing.change(context, actor, row, editing.with_phone(changes), version)


async def listed(
    actor: Actor,
    *,
    operator_id: UUID | None = None,
    search: str = "",
    is_owner_committee: bool | None = None,
    offset: int = 0,
    limit: int = 10,
) -> tuple[Sequence[PropertyCompany], int]:
    """Companies by name, each with its `communities` (小区数量), and how many. Two statements."""
    which = PropertyCompany.filter(
        actor.within(Permission.COMPANY_VIEW, PropertyCompany.SCOPES), called(search)
    )
    if operator_id is not None:
        which = which.filter(operator_id=operator_id)
    if is_owner_committee is not None:
        which = which.filter(is_owner_committee=is_owner_committee)
    counted = which.annotate(communities=RawSQL(_COMMUNITIES))
    return await counted.order_by("name", "id").offset(offset).limit(limit), await which.count()
