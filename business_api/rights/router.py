"""`/v1/authz/explain` and `/v1/me/permissions`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from business_api.accounts.errors import NoSuchAccount, OnePlace
from business_api.actors import NotFound
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.deps import CurrentActor
from business_api.problems import documents
from business_api.rights import explain, mine
from business_api.rights.places import place_of
from business_api.rights.schemas import ExplanationOut, HeldRoleOut, MyPermissionsOut

router = APIRouter(tags=["rights"])


@router.get(
    "/authz/explain",
    operation_id="explainPermission",
    responses=documents(NotFound, NoSuchAccount, OnePlace),
)
async def explain_permission(
    actor: CurrentActor,
    permission: Annotated[Permission, Query(description="what is to be done")],
    *,
    account_id: Annotated[UUID | None, Query(description="whose case; else the own")] = None,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    community_id: UUID | None = None,
    building_id: UUID | None = None,
    house_id: UUID | None = None,
) -> ExplanationOut:
    """Whether an account may do something at a place (none: the platform), and why.

    Somebody else's case is told to who may see that account and the accounts of the place.
    """
    place = await place_of(
        {
            ScopeType.OPERATOR: operator_id,
            ScopeType.COMPANY: company_id,
            ScopeType.COMMUNITY: community_id,
            ScopeType.BUILDING: building_id,
            ScopeType.HOUSE: house_id,
        }
    )
    if account_id is None or account_id == actor.account_id:
        return ExplanationOut.model_validate(await explain.own(actor, permission, place))
    told = await explain.of_account(actor, account_id, permission, place)
    return ExplanationOut.model_validate(told)


@router.get("/me/permissions", operation_id="myPermissions")
async def my_permissions(actor: CurrentActor) -> MyPermissionsOut:
    """Everything the signed-in account may do, by role and place."""
    held = await mine.held(actor)
    return MyPermissionsOut(
        roles=[HeldRoleOut.model_validate(one) for one in held],
        permissions=sorted({permission for one in held for permission in one.permissions}),
    )
