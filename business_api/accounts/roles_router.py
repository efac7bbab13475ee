"""`/v1/accounts/{account_id}/grants`: the roles that staff hold, given and taken (BR1)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response, status

from business_api.accounts import listing, roles, scopes
from business_api.accounts.errors import (
    BadScope,
    BadTerm,
    FirstPasswordPending,
    MayNotGive,
    NoSuchAccount,
    NoSuchGrant,
    NotYourself,
    OnePlace,
)
from business_api.accounts.staff_schemas import GrantIn, GrantOut
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import OnceOnly
from business_api.organisations.errors import NoSuchCommunity, NoSuchCompany, NoSuchOperator
from business_api.paging import Page, PageQuery
from business_api.places.errors import NoSuchBuilding
from business_api.problems import documents

router = APIRouter(tags=["staff"])

Viewer = Annotated[Actor, needs(Permission.ACCOUNT_VIEW)]
Manager = Annotated[Actor, needs(Permission.ACCOUNT_MANAGE)]


@router.get(
    "/accounts/{account_id}/grants",
    operation_id="listGrants",
    responses=documents(NoSuchAccount),
)
async def list_grants(
    account_id: UUID, context: Ctx, actor: Viewer, paged: PageQuery
) -> Page[GrantOut]:
    """The roles an account holds, held and will hold within reach, the oldest first."""
    held = (await listing.one(context, actor, account_id)).grants
    return paged.of(held[paged.offset :][: paged.size], len(held))


@router.post(
    "/accounts/{account_id}/grants",
    operation_id="giveRole",
    status_code=status.HTTP_201_CREATED,
    response_model=GrantOut,
    responses=documents(
        *(NoSuchAccount, NotYourself, MayNotGive, BadScope, BadTerm, OnePlace),
        FirstPasswordPending,
        *(NoSuchOperator, NoSuchCompany, NoSuchCommunity, NoSuchBuilding),
    ),
)
async def give_role(
    account_id: UUID, body: GrantIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Give a role at a place, for good or for a time; one held there gets this period."""
    site = await scopes.site_of(actor, Permission.ACCOUNT_MANAGE, **body.ids)

    async def act() -> GrantOut:
        given = await roles.give(
            context,
            actor,
            account_id,
            body.role,
            site,
            valid_from=body.valid_from,
            valid_to=body.valid_to,
        )
        return await listing.grant(actor, given)

    return await once(act)


@router.delete(
    "/grants/{grant_id}",
    operation_id="takeRole",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchGrant, NotYourself, MayNotGive),
)
async def take_role(grant_id: UUID, context: Ctx, actor: Manager) -> None:
    """Take a role. What it allowed is refused from the next request on."""
    await roles.take(context, actor, grant_id)
