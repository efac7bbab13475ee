"""删除 of organisations, by whoever makes them (F2, F14)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.organisations import find
from business_api.organisations.errors import NoSuchCommunity, NoSuchCompany, NoSuchOperator
from business_api.problems import documents
from business_api.tenants import removal
from business_api.tenants.removal import OrganisationInUse
from business_api.versions import IfMatch, IfMatchRequired, Stale

router = APIRouter(tags=["organisations"])

_COMMON = (OrganisationInUse, Stale, IfMatchRequired)


@router.delete(
    "/operators/{operator_id}",
    operation_id="deleteOperator",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchOperator, *_COMMON),
)
async def delete_operator(
    operator_id: UUID,
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.OPERATOR_MANAGE)],
    version: IfMatch,
) -> None:
    """Delete an operator without companies and accounts."""
    row = await find.operator(actor, Permission.OPERATOR_MANAGE, operator_id)
    await removal.delete_operator(context, actor, row, version)


@router.delete(
    "/companies/{company_id}",
    operation_id="deleteCompany",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchCompany, *_COMMON),
)
async def delete_company(
    company_id: UUID,
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.COMPANY_MANAGE)],
    version: IfMatch,
) -> None:
    """Delete a property company without communities and accounts."""
    row = await find.company(actor, Permission.COMPANY_MANAGE, company_id)
    await removal.delete_company(context, actor, row, version)


@router.delete(
    "/communities/{community_id}",
    operation_id="deleteCommunity",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchCommunity, *_COMMON),
)
async def delete_community(
    community_id: UUID,
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.COMMUNITY_MANAGE)],
    version: IfMatch,
) -> None:
    """Delete a community without places, stations, people and accounts."""
    row = await find.community(actor, Permission.COMMUNITY_MANAGE, community_id)
    await removal.delete_community(context, actor, row, version)
