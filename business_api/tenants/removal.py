"""Operators, companies and communities that were made by mistake, or have been emptied."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts.models import RoleGrant
from business_api.actors import Actor
from business_api.dictionary.models import DictItem
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.people.models import Person
from business_api.places.models import Building, Zone
from business_api.versions import Stale
from device_registry.devices import overview
from foundation.errors import DomainError, Kind
from foundation.runner import Context

Row = TypeVar("Row", Operator, PropertyCompany, Community)


class OrganisationInUse(DomainError):
    """Something is left in it. `by` says what, and each of those how many."""

    kind, code, title = Kind.CONFLICT, "organisation-in-use", "There is still something in it"
    title_zh = "仍有下属数据（公司、小区、账号、楼栋、住户或门口机），不能删除"


async def delete_operator(context: Context, actor: Actor, row: Operator, version: int) -> None:
    """Delete an operator, and its own words in the dictionary.

    Raises:
        OrganisationInUse: it has companies or accounts.
        Stale: somebody changed it since.
    """
    async with in_transaction():
        mine = await _locked(row, version)
        _refuse(
            {
                "companies": await PropertyCompany.filter(operator_id=mine.id).count(),
                "accounts": await _accounts(operator_id=mine.id),
            }
        )
        await DictItem.filter(operator_id=mine.id).delete()
        await _delete(context, actor, mine)


async def delete_company(
    context: Context, actor: Actor, row: PropertyCompany, version: int
) -> None:
    """Delete a property company.

    Raises:
        OrganisationInUse: it has communities or accounts.
        Stale: somebody changed it since.
    """
    async with in_transaction():
        mine = await _locked(row, version)
        _refuse(
            {
                "communities": await Community.filter(company_id=mine.id).count(),
                "accounts": await _accounts(company_id=mine.id),
            }
        )
        await _delete(context, actor, mine)


async def delete_community(context: Context, actor: Actor, row: Community, version: int) -> None:
    """Delete a community. Its openings and audit lines stay.

    Raises:
        OrganisationInUse: it has places, stations, accounts, or people who are not erased.
        Stale: somebody changed it since.
    """
    async with in_transaction():
        mine = await _locked(row, version)
        stations = await overview.counts([mine.id], context.clock())
        _refuse(
            {
                "zones": await _in(Zone, mine.id).count(),
                "buildings": await _in(Building, mine.id).count(),
                "people": await _in(Person, mine.id).filter(erased_at=None).count(),
                "stations": sum(stations.status.values()),
                "accounts": await _accounts(community_id=mine.id),
            }
        )
        await _delete(context, actor, mine)


_NOUN: Final = {Operator: "operator", PropertyCompany: "company", Community: "community"}


async def _locked(row: Row, version: int) -> Row:
    """The row for this transaction alone: what is made in it meanwhile waits, and fails."""
    which = cast(Any, type(row)).filter(id=row.id, version=version).select_for_update()
    found: Row | None = await which.first()
    if found is None:
        raise Stale
    return found


async def _delete(
    context: Context, actor: Actor, row: Operator | PropertyCompany | Community
) -> None:
    await row.delete()
    noun = _NOUN[type(row)]
    of = f"{noun}/{row.id}"
    await auditing.note(context, actor, f"{noun}.delete", of, row.site, before={"name": row.name})


def _in(model: type[Zone | Building | Person], community_id: UUID) -> QuerySet[Any]:
    return cast(QuerySet[Any], model.filter(community_id=community_id))


async def _accounts(**where: UUID) -> int:
    """How many accounts have a role there, live or not."""
    found = await RoleGrant.filter(**where).distinct().values("account_id")
    return len(found)


def _refuse(held: Mapping[str, int]) -> None:
    """Raises OrganisationInUse if there is any."""
    left = {what: number for what, number in held.items() if number}
    if left:
        told = ", ".join(f"{number} {what}" for what, number in left.items())
        raise OrganisationInUse(told, by=list(left), **left)
