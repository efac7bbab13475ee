"""`/v1/accounts`: the accounts of staff (F2, F3)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from business_api import versions
from business_api.accounts import (
    accounts,
    listing,
    passwords,
    roles,
    scopes,
    staff,
)
from business_api.accounts.errors import (
    BadScope,
    BadUsername,
    MayNotGive,
    MayNotManage,
    NoSuchAccount,
    NotYourself,
    OnePlace,
    ResidentsAccount,
    UsernameTaken,
)
from business_api.accounts.listing import Wanted
from business_api.accounts.passwords import SignInBusy, WeakPassword
from business_api.accounts.second_factor import SecondFactorOff
from business_api.accounts.staff_schemas import (
    NewStaffOut,
    ResetIn,
    ResetOut,
    StaffEdit,
    StaffIn,
    StaffOut,
)
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from business_api.deps import Ctx, needs
from business_api.idempotency import OnceOnly
from business_api.organisations.errors import NoSuchCommunity, NoSuchCompany, NoSuchOperator
from business_api.paging import Page, PageQuery
from business_api.phones import BadPhone
from business_api.places.errors import NoSuchBuilding
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, Stale

router = APIRouter(prefix="/accounts", tags=["staff"])

Viewer = Annotated[Actor, needs(Permission.ACCOUNT_VIEW)]
Manager = Annotated[Actor, needs(Permission.ACCOUNT_MANAGE)]

_THEIRS = (NoSuchAccount, MayNotManage, NotYourself, ResidentsAccount)
_PLACE = (OnePlace, NoSuchOperator, NoSuchCompany, NoSuchCommunity, NoSuchBuilding)


@router.get("", operation_id="listAccounts")
async def list_accounts(
    context: Ctx,
    actor: Viewer,
    paged: PageQuery,
    *,
    search: Annotated[Search, Query(description="in name or username")] = "",
    role: Annotated[Role | None, Query(description="held now or later")] = None,
    disabled: bool | None = None,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    community_id: UUID | None = None,
) -> Page[StaffOut]:
    """The accounts that hold, or held, a role within reach (查看账号), by name."""
    wanted = Wanted(search, role, disabled, operator_id, company_id, community_id)
    rows, total = await listing.listed(
        context, actor, wanted, offset=paged.offset, limit=paged.size
    )
    return paged.of(rows, total)


@router.post(
    "",
    operation_id="createAccount",
    status_code=status.HTTP_201_CREATED,
    response_model=NewStaffOut,
    responses=documents(
        *(*_PLACE, MayNotGive, BadScope, UsernameTaken, BadUsername),
        *(BadPhone, WeakPassword, SignInBusy),
    ),
)
async def create_account(body: StaffIn, context: Ctx, actor: Manager, once: OnceOnly) -> Response:
    """Make an account with a role at a place (F3). Its password has to be changed first."""
    site = await scopes.site_of(actor, Permission.ACCOUNT_MANAGE, **body.ids)
    roles.check(actor, body.role, site, now=actor.now)
    password = body.password.get_secret_value() if body.password else None
    new = staff.NewStaff(body.username, password, body.name, body.phone)
    prepared = await staff.prepare(new, *await scopes.words_around(site))

    async def act() -> NewStaffOut:
        made = await staff.create(context, actor, prepared, body.role, site)
        shown = await listing.one(context, actor, made.id)
        return NewStaffOut(**shown.model_dump(), password=prepared.made_up)

    return await once(act, secret=True)


@router.get("/{account_id}", operation_id="getAccount", responses=documents(NoSuchAccount))
async def get_account(
    account_id: UUID, context: Ctx, actor: Viewer, response: Response
) -> StaffOut:
    """One account."""
    shown = await listing.one(context, actor, account_id)
    versions.tag(response, shown.version)
    return shown


@router.patch(
    "/{account_id}",
    operation_id="editAccount",
    responses=documents(*_THEIRS, BadPhone, Stale),
)
async def edit_account(
    account_id: UUID,
    body: StaffEdit,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> StaffOut:
    """Change name or telephone number."""
    await staff.edit(context, actor, account_id, version, name=body.name, phone=body.phone)
    return await get_account(account_id, context, actor, response)


@router.post(
    "/{account_id}/password",
    operation_id="resetPassword",
    responses=documents(*_THEIRS, WeakPassword, SignInBusy),
)
async def reset_password(account_id: UUID, body: ResetIn, context: Ctx, actor: Manager) -> ResetOut:
    """Set a password for somebody who has lost theirs. All sessions of the account end."""
    made_up = None if body.password else passwords.made_up()
    given = body.password.get_secret_value() if body.password else ""
    await accounts.reset_password(context, actor, account_id, made_up or given)
    return ResetOut(password=made_up)


@router.post(
    "/{account_id}/disable",
    operation_id="disableAccount",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(*_THEIRS),
)
async def disable_account(account_id: UUID, context: Ctx, actor: Manager) -> None:
    """Shut an account out: its sessions end, it opens nothing any more."""
    await accounts.disable(context, actor, account_id)


@router.post(
    "/{account_id}/enable",
    operation_id="enableAccount",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(*_THEIRS),
)
async def enable_account(account_id: UUID, context: Ctx, actor: Manager) -> None:
    """Let an account sign in again."""
    await accounts.enable(context, actor, account_id)


@router.post(
    "/{account_id}/second-factor/reset",
    operation_id="resetSecondFactor",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(*_THEIRS, SecondFactorOff),
)
async def reset_second_factor(account_id: UUID, context: Ctx, actor: Manager) -> None:
    """Forget the second factor of somebody who has lost it. All its sessions end."""
    await staff.reset_second_factor(context, actor, account_id)
