"""物业公司, for its operator; its own one for each company (F2)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.organisations import companies, find
from business_api.organisations.errors import NameTaken, NoSuchCompany, NoSuchOperator
from business_api.organisations.models import Community, PropertyCompany
from business_api.organisations.schemas import CompanyChangeIn, CompanyIn, CompanyOut
from business_api.paging import Page, PageQuery
from business_api.phones import BadPhone
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter(tags=["organisations"])

Viewer = Annotated[Actor, needs(Permission.COMPANY_VIEW)]
Manager = Annotated[Actor, needs(Permission.COMPANY_MANAGE)]


@router.get("/companies", operation_id="listCompanies")
async def list_companies(
    actor: Viewer,
    paged: PageQuery,
    *,
    search: Annotated[Search, Query(description="part of a name, contact or phone")] = "",
    operator_id: UUID | None = None,
    is_owner_committee: bool | None = None,
) -> Page[CompanyOut]:
    """Property companies by name, with the number of their communities (小区数量)."""
    rows, total = await companies.listed(
        actor,
        operator_id=operator_id,
        search=search,
        is_owner_committee=is_owner_committee,
        offset=paged.offset,
        limit=paged.size,
    )
    return paged.of([CompanyOut.model_validate(row) for row in rows], total)


@router.post(
    "/operators/{operator_id}/companies",
    operation_id="createCompany",
    status_code=status.HTTP_201_CREATED,
    response_model=CompanyOut,
    responses=documents(NoSuchOperator, NameTaken, BadPhone, KeyReused, RequestInFlight),
)
async def create_company(
    operator_id: UUID, body: CompanyIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Add a property company, or an owners' committee, to an operator."""

    async def act() -> CompanyOut:
        operator = await find.operator(actor, Permission.COMPANY_MANAGE, operator_id)
        new = companies.NewCompany(**body.model_dump())
        return await _shown(await companies.create_company(context, actor, operator, new))

    return await once(act)


@router.get(
    "/companies/{company_id}", operation_id="getCompany", responses=documents(NoSuchCompany)
)
async def get_company(company_id: UUID, actor: Viewer, response: Response) -> CompanyOut:
    """One property company, with its version as ETag."""
    row = await find.company(actor, Permission.COMPANY_VIEW, company_id)
    tag(response, row.version)
    return await _shown(row)


@router.patch(
    "/companies/{company_id}",
    operation_id="changeCompany",
    responses=documents(NoSuchCompany, NameTaken, BadPhone, Stale, IfMatchRequired),
)
async def change_company(
    company_id: UUID,
    body: CompanyChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> CompanyOut:
    """Edit a property company."""
    row = await find.company(actor, Permission.COMPANY_MANAGE, company_id)
    row = await companies.change_company(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return await _shown(row)


async def _shown(row: PropertyCompany) -> CompanyOut:
    communities = await Community.filter(company_id=row.id).count()
    return CompanyOut.of(row, communities)
