"""数据统计, for operators over their companies and for companies over their communities (F4)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.organisations import find
from business_api.organisations.errors import NoSuchCommunity, NoSuchCompany, NoSuchOperator
from business_api.paging import Page, PageQuery
from business_api.problems import documents
from business_api.schemas import Search
from business_api.statistics import scopes
from business_api.statistics.schemas import StatisticsOut, StatisticsRowOut

router = APIRouter(tags=["statistics"])

Viewer = Annotated[Actor, needs(Permission.STATISTICS_VIEW)]
SearchQuery = Annotated[Search, Query(description="part of a name, contact or phone")]


@router.get(
    "/operators/{operator_id}/statistics",
    operation_id="operatorStatistics",
    responses=documents(NoSuchOperator),
)
async def of_operator(operator_id: UUID, context: Ctx, actor: Viewer) -> StatisticsOut:
    """Everything that an operator's companies have."""
    await find.operator(actor, Permission.STATISTICS_VIEW, operator_id)
    return StatisticsOut.of(await scopes.of_operator(context, operator_id))


@router.get(
    "/companies/{company_id}/statistics",
    operation_id="companyStatistics",
    responses=documents(NoSuchCompany),
)
async def of_company(company_id: UUID, context: Ctx, actor: Viewer) -> StatisticsOut:
    """Everything that a company's communities have."""
    await find.company(actor, Permission.STATISTICS_VIEW, company_id)
    return StatisticsOut.of(await scopes.of_company(context, company_id))


@router.get(
    "/communities/{community_id}/statistics",
    operation_id="communityStatistics",
    responses=documents(NoSuchCommunity),
)
async def of_community(community_id: UUID, context: Ctx, actor: Viewer) -> StatisticsOut:
    """One community."""
    await find.community(actor, Permission.STATISTICS_VIEW, community_id)
    return StatisticsOut.of(await scopes.of_community(context, community_id))


@router.get("/statistics/companies", operation_id="listCompanyStatistics")
async def list_companies(
    context: Ctx,
    actor: Viewer,
    paged: PageQuery,
    search: SearchQuery = "",
    operator_id: UUID | None = None,
) -> Page[StatisticsRowOut]:
    """Companies by name, each with its figures."""
    rows, total = await scopes.companies(
        context,
        actor,
        operator_id=operator_id,
        search=search,
        offset=paged.offset,
        limit=paged.size,
    )
    return paged.of([StatisticsRowOut.of(row) for row in rows], total)


@router.get("/statistics/communities", operation_id="listCommunityStatistics")
async def list_communities(
    context: Ctx,
    actor: Viewer,
    paged: PageQuery,
    search: SearchQuery = "",
    company_id: UUID | None = None,
) -> Page[StatisticsRowOut]:
    """Communities by name, each with its figures."""
    rows, total = await scopes.communities(
        context,
        actor,
        company_id=company_id,
        search=search,
        offset=paged.offset,
        limit=paged.size,
    )
    return paged.of([StatisticsRowOut.of(row) for row in rows], total)
