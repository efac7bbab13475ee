"""运营公司: made by the super admin (F1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tortoise.expressions import RawSQL

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.organisations import editing
from business_api.organisations.models import Operator
from business_api.organisations.searching import called
from foundation.runner import Context

_COMPANIES = (
    "(SELECT count(*) FROM business_property_company c"
    ' WHERE c.operator_id = "business_operator".id)'
)


@dataclass(frozen=True, slots=True)
class NewOperator:
    """An operator to be. `phone` as it was typed."""

    name: str
    phone: str = ""
    address: str = ""
    contact: str = ""


async def create_operator(context: Context, actor: Actor | str, new: NewOperator) -> Operator:
    """Add an operator.

    Raises:
        NameTaken: there is one of this name.
        BadPhone: the phone is none.
    """
    row = Operator(
        name=new.name,
        phone=editing.phone(new.phone),
        address=new.address,
        contact=new.contact,
    )
    return await editing.make(context, actor, row)


async def change_operator(
    context: Context, actor: Actor, row: Operator, changes: Mapping[str, Any], version: int
) -> Operator:
    """Change some of `NewOperator`'s fields, if the row is still at `version`.

    Raises:
        Stale, NameTaken, BadPhone: see `editing`.
    """
    return await editing.change(context, actor, row, editing.with_phone(changes), version)


async def listed(
    actor: Actor, *, search: str = "", offset: int = 0, limit: int = 10
) -> tuple[Sequence[Operator], int]:
    """Operators by name, each with its `companies`, and how many. Two statements."""
    which = Operator.filter(actor.within(Permission.OPERATOR_VIEW, Operator.SCOPES), called(search))
    counted = which.annotate(companies=RawSQL(_COMPANIES))
    return await counted.order_by("name", "id").offset(offset).limit(limit), await which.count()
