"""运营公司, for the super admin; its own one for each operator (F1)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.organisations import find, operators
from business_api.organisations.errors import NameTaken, NoSuchOperator
from business_api.organisations.models import Operator, PropertyCompany
from business_api.organisations.schemas import OperatorChangeIn, OperatorIn, OperatorOut
from business_api.paging import Page, PageQuery
from business_api.phones import BadPhone
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter(prefix="/operators", tags=["organisations"])

Viewer = Annotated[Actor, needs(Permission.OPERATOR_VIEW)]
Manager = Annotated[Actor, needs(Permission.OPERATOR_MANAGE)]


@router.get("", operation_id="listOperators")
async def list_operators(
    actor: Viewer,
    paged: PageQuery,
    search: Annotated[Search, Query(description="part of a name, contact or phone")] = "",
) -> Page[OperatorOut]:
    """Operators by name."""
    rows, total = await operators.listed(
        actor, search=search, offset=paged.offset, limit=paged.size
    )
    return paged.of([OperatorOut.model_validate(row) for row in rows], total)


@router.post(
    "",
    operation_id="createOperator",
    status_code=status.HTTP_201_CREATED,
    response_model=OperatorOut,
    responses=documents(NameTaken, BadPhone, KeyReused, RequestInFlight),
)
async def create_operator(
    body: OperatorIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Add an operator. Its first account is made with `POST /v1/accounts`."""

    async def act() -> OperatorOut:
        new = operators.NewOperator(**body.model_dump())
        return await _shown(await operators.create_operator(context, actor, new))

    return await once(act)


@router.get("/{operator_id}", operation_id="getOperator", responses=documents(NoSuchOperator))
async def get_operator(operator_id: UUID, actor: Viewer, response: Response) -> OperatorOut:
    """One operator, with its version as ETag."""
    row = await find.operator(actor, Permission.OPERATOR_VIEW, operator_id)
    tag(response, row.version)
    return await _shown(row)


@router.patch(
    "/{operator_id}",
    operation_id="changeOperator",
    responses=documents(NoSuchOperator, NameTaken, BadPhone, Stale, IfMatchRequired),
)
async def change_operator(
    operator_id: UUID,
    body: OperatorChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> OperatorOut:
    """Edit an operator."""
    row = await find.operator(actor, Permission.OPERATOR_MANAGE, operator_id)
    row = await operators.change_operator(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return await _shown(row)


async def _shown(row: Operator) -> OperatorOut:
    companies = await PropertyCompany.filter(operator_id=row.id).count()
    return OperatorOut.of(row, companies)
