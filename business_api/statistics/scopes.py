"""Whose figures: an operator's, a company's, a community's, and lists of the latter two."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.organisations.models import Community, PropertyCompany
from business_api.organisations.searching import called
from business_api.statistics import figures
from business_api.statistics.figures import Figures
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class Row:
    """One company or community in a list."""

    id: UUID
    name: str
    figures: Figures


async def of_operator(context: Context, operator_id: UUID) -> Figures:
    """All its companies together. Eight statements."""
    return await _together(context, await _ids(operator_id=operator_id))


async def of_company(context: Context, company_id: UUID) -> Figures:
    """All its communities together. Eight statements."""
    return await _together(context, await _ids(company_id=company_id))


async def of_community(context: Context, community_id: UUID) -> Figures:
    """One community. Seven statements."""
    return await _together(context, [community_id])


async def companies(
    context: Context,
    actor: Actor,
    *,
    operator_id: UUID | None = None,
    search: str = "",
    offset: int = 0,
    limit: int = 10,
) -> tuple[Sequence[Row], int]:
    """Companies by name, and how many. Ten statements."""
    which = PropertyCompany.filter(
        actor.within(Permission.STATISTICS_VIEW, PropertyCompany.SCOPES), called(search)
    )
    if operator_id is not None:
        which = which.filter(operator_id=operator_id)
    rows = await which.order_by("name", "id").offset(offset).limit(limit)
    by_company = await _by_company([row.id for row in rows])
    every = [id_ for ids in by_company.values() for id_ in ids]
    found = await figures.of_communities(context, every)
    shown = [
        Row(row.id, row.name, figures.total(found[id_] for id_ in by_company[row.id]))
        for row in rows
    ]
    return shown, await which.count()


async def communities(
    context: Context,
    actor: Actor,
    *,
    company_id: UUID | None = None,
    search: str = "",
    offset: int = 0,
    limit: int = 10,
) -> tuple[Sequence[Row], int]:
    """Communities by name, and how many. Nine statements."""
    which = Community.filter(
        actor.within(Permission.STATISTICS_VIEW, Community.SCOPES), called(search)
    )
    if company_id is not None:
        which = which.filter(company_id=company_id)
    rows = await which.order_by("name", "id").offset(offset).limit(limit)
    found = await figures.of_communities(context, [row.id for row in rows])
    return [Row(row.id, row.name, found[row.id]) for row in rows], await which.count()


async def _together(context: Context, ids: Sequence[UUID]) -> Figures:
    return figures.total((await figures.of_communities(context, ids)).values())


async def _ids(**where: UUID) -> list[UUID]:
    return [row["id"] for row in await Community.filter(**where).values("id")]


async def _by_company(ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for row in await Community.filter(company_id__in=list(ids)).values("id", "company_id"):
        found[row["company_id"]].append(row["id"])
    return found
