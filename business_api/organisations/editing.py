"""Making and changing one organisation: the same three times."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api import auditing, phones, versions
from business_api.actors import Actor
from business_api.organisations.errors import NameTaken, NoSuchCompany, NoSuchOperator
from business_api.organisations.models import Community, Operator, PropertyCompany
from foundation.runner import Context

Row = TypeVar("Row", Operator, PropertyCompany, Community)

_PERSONAL: Final = frozenset({"contact", "phone"})
"""Of somebody, mostly: the audit chain says that they changed, not how."""

_NOUN: Final = {Operator: "operator", PropertyCompany: "company", Community: "community"}


async def make(context: Context, actor: Actor | str, row: Row) -> Row:
    """Store a new one.

    Raises:
        NameTaken: its parent has one of this name.
        NoSuchOperator, NoSuchCompany: its parent was deleted in this very moment.
    """
    row.created_at, row.created_by = context.clock(), maker(actor)
    try:
        async with in_transaction():
            await _hold_parent(row)
            await row.save(force_create=True)
            await _note(context, actor, row, "create", after={"name": row.name})
    except IntegrityError:
        raise NameTaken from None
    return row


async def change(
    context: Context, actor: Actor, row: Row, changes: Mapping[str, Any], version: int
) -> Row:
    """Change some columns, if the row is still at `version`; the row as it is now.

    Raises:
        Stale: somebody changed it since, or deleted it.
        NameTaken: its parent has another one of this name.
    """
    news = {name: value for name, value in changes.items() if getattr(row, name) != value}
    told = [name for name in news if name not in _PERSONAL]
    before = {name: auditing.plain(getattr(row, name)) for name in told}
    after = {name: auditing.plain(news[name]) for name in told}
    try:
        async with in_transaction():
            await versions.edit(row, news, version)
            facts = {"changed": sorted(news)}
            await _note(context, actor, row, "change", before=before, after=after, **facts)
    except IntegrityError:
        raise NameTaken from None
    return row


async def _hold_parent(row: Operator | PropertyCompany | Community) -> None:
    """See that what the row is put into is there, and stays until the row is."""
    if isinstance(row, PropertyCompany):
        if not await Operator.filter(id=row.operator_id).select_for_update().first():
            raise NoSuchOperator
    elif isinstance(row, Community):  # noqa: SIM102  (reads like the branch above)
        if not await PropertyCompany.filter(id=row.company_id).select_for_update().first():
            raise NoSuchCompany


def maker(actor: Actor | str) -> UUID | None:
    """For `created_by`."""
    return actor.account_id if isinstance(actor, Actor) else None


def phone(typed: str) -> str:
    """In E.164, for a column; nothing stays nothing.

    Raises:
        BadPhone: it is no telephone number.
    """
    return phones.normal(typed) if typed else ""


def with_phone(changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` with the phone as a column holds it, if it is among them.

    Raises:
        BadPhone: it is no telephone number.
    """
    return {name: phone(new) if name == "phone" else new for name, new in changes.items()}


async def _note(context: Context, actor: Actor | str, row: Row, verb: str, **facts: Any) -> None:
    noun = _NOUN[type(row)]
    await auditing.note(context, actor, f"{noun}.{verb}", f"{noun}/{row.id}", row.site, **facts)
