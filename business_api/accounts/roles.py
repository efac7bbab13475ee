"""Giving roles and taking them: who may what where, from now on, or for a time."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import management, sessions
from business_api.accounts.errors import (
    BadScope,
    BadTerm,
    FirstPasswordPending,
    LastSuperAdmin,
    MayNotGive,
    NoSuchAccount,
    NoSuchGrant,
    NotYourself,
)
from business_api.accounts.models import Account, RoleGrant
from business_api.actors import Actor
from business_api.authz import decide
from business_api.authz.permissions import Permission
from business_api.authz.roles import SCOPE, Role
from business_api.authz.scope import ScopeType, Site
from business_api.tenancy import place
from foundation.runner import Context

log = structlog.get_logger()

CHANGES = Counter("role_changes_total", "Roles given and taken.", ["change"])

LIVED: Final = frozenset({Role.OWNER, Role.FAMILY, Role.TENANT, Role.VISITOR, Role.NEIGHBOUR})
"""These follow from where somebody lives, and are never given."""


async def give(
    context: Context,
    actor: Actor | str,
    account_id: UUID,
    role: Role,
    site: Site,
    *,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
) -> RoleGrant:
    """Give a role at a place; one that is or was held there gets this period instead.

    Holds from the next request on. Joins the caller's transaction.

    Args:
        context: of the process.
        actor: who gives; a command line or a job gives what it likes.
        account_id: to whom.
        role: what.
        site: where; its narrowest level must be one at which the role can be held.
        valid_from: not before; None: from now on.
        valid_to: not at or after; None: until it is taken. Never after the end of the role
            by which the actor gives it.

    Raises:
        NoSuchAccount: there is none, or none the actor may know of.
        MayNotGive, NotYourself: it is not the actor's to give, or not to itself.
        BadScope: the role cannot be held there.
        BadTerm: the period is empty.
        FirstPasswordPending: somebody else set the password that it still has.
        LastSuperAdmin: nobody would be one for good.
    """
    check(actor, role, site, valid_from=valid_from, valid_to=valid_to, now=context.clock())
    valid_to = until(actor, role, site, valid_to)
    async with in_transaction():
        if isinstance(actor, Actor):
            if account_id == actor.account_id:
                raise NotYourself
            account = (await management.seen(actor, account_id, lock=True)).account
            _check_password(account, actor.account_id)
        else:
            which = Account.filter(id=account_id, deleted_at=None)
            found = await which.select_for_update().first()
            if found is None:
                raise NoSuchAccount
            _check_password(found, None)
        if role is Role.SUPER_ADMIN and (valid_from or valid_to):
            await keep_a_super_admin(context, without=account_id)
        row = await write(context, actor, account_id, role, site, period=(valid_from, valid_to))
    context.wake.kick(sessions.TOPIC)
    return row


async def take(context: Context, actor: Actor | str, grant_id: UUID) -> None:
    """End a role. What it allowed is refused from the next request on.

    Raises:
        NoSuchGrant: there is none, none the actor may know of, or it is over.
        MayNotGive, NotYourself: it is not the actor's to take, or its own.
        LastSuperAdmin: there would be none left.
    """
    async with in_transaction():
        found = await RoleGrant.get_or_none(id=grant_id)
        if found is not None and found.role is Role.SUPER_ADMIN:
            await _lock_super_admins()  # all of them before this one: two would wait in a ring
        row = await RoleGrant.filter(id=grant_id).select_for_update().first()
        if row is None or row.over(context.clock()):
            raise NoSuchGrant
        if isinstance(actor, Actor):
            _check_taking(actor, row)
        if row.role is Role.SUPER_ADMIN:
            await keep_a_super_admin(context, without=row.account_id)  # type: ignore[attr-defined]
        row.valid_to = context.clock()
        await row.save(update_fields=["valid_to"])
        await _audited(context, actor, "role.take", row)
    CHANGES.labels("taken").inc()
    context.wake.kick(sessions.TOPIC)


async def held(account_id: UUID, role: Role, site: Site) -> RoleGrant:
    """The row of a role at exactly that place.

    Raises:
        NoSuchGrant: it was never given.
    """
    level = level_of(site)
    row = await RoleGrant.get_or_none(
        account_id=account_id, role=role, scope_type=level, scope_id=site.at(level)
    )
    if row is None:
        raise NoSuchGrant
    return row


def check(
    actor: Actor | str,
    role: Role,
    site: Site,
    *,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    now: datetime,
) -> None:
    """Whether the actor may give the role there, for that long.

    Raises:
        MayNotGive, BadScope, BadTerm: see `give`.
    """
    if isinstance(actor, Actor) and not decide.may_give(actor.grants, role, site, actor.now):
        raise MayNotGive(role.value)
    if role in LIVED or level_of(site) not in SCOPE[role]:
        raise BadScope(f"{role.value} at {level_of(site).value}")
    end = until(actor, role, site, valid_to)
    if end is not None and end <= max(valid_from or now, now):
        raise BadTerm


def until(
    actor: Actor | str, role: Role, site: Site, valid_to: datetime | None = None
) -> datetime | None:
    """When a role ends that the actor gives: what it gives for good does not outlast its own."""
    if not isinstance(actor, Actor):
        return valid_to
    return decide.given_until(actor.grants, role, site, actor.now, valid_to)


def level_of(site: Site) -> ScopeType:
    """The narrowest level that a place names."""
    return next((level for level in reversed(ScopeType) if site.at(level)), ScopeType.PLATFORM)


async def keep_a_super_admin(context: Context, *, without: UUID) -> None:
    """See to it that somebody else can create operators, until the transaction ends.

    Raises:
        LastSuperAdmin: nobody else is an enabled super admin for good.
    """
    now = context.clock()
    others = {
        row.account_id  # type: ignore[attr-defined]
        for row in await _lock_super_admins()
        if row.valid_to is None and row.grant.live(now)
    } - {without}
    if not await Account.filter(id__in=list(others), disabled_at=None).exists():
        raise LastSuperAdmin


async def write(
    context: Context,
    actor: Actor | str,
    account_id: UUID,
    role: Role,
    site: Site,
    *,
    period: tuple[datetime | None, datetime | None] = (None, None),
) -> RoleGrant:
    """The row and its audit line, for who has checked and holds the account's lock."""
    level = level_of(site)
    scope_id = site.at(level)
    key: dict[str, Any] = {
        "account_id": account_id,
        "role": role,
        "scope_type": level,
        "scope_id": scope_id,
    }
    row = await RoleGrant.get_or_none(**key)
    before = _period(row) if row else None
    if row is None:
        row = RoleGrant(**key, **place(site), created_at=context.clock())
    row.valid_from, row.valid_to = period
    row.granted_by = actor.account_id if isinstance(actor, Actor) else None
    await row.save()
    await _audited(context, actor, "role.give", row, before=before)
    CHANGES.labels("given").inc()
    return row


async def _lock_super_admins() -> list[RoleGrant]:
    """Everybody who takes one away locks them all: the second looks when the first is done."""
    return await RoleGrant.filter(role=Role.SUPER_ADMIN).select_for_update().order_by("id")


def _check_password(account: Account, giver: UUID | None) -> None:
    """Who set a password that was not changed yet would have what is given now as well."""
    if account.must_change_password and account.password_set_by != giver:
        raise FirstPasswordPending


def _check_taking(actor: Actor, row: RoleGrant) -> None:
    actor.require(Permission.ACCOUNT_MANAGE, row.site, NoSuchGrant)
    if row.account_id == actor.account_id:  # type: ignore[attr-defined]
        raise NotYourself
    if not decide.may_give(actor.grants, row.role, row.site, actor.now):
        raise MayNotGive(row.role.value)


def _period(row: RoleGrant) -> dict[str, str | None]:
    return {
        "valid_from": row.valid_from.isoformat() if row.valid_from else None,
        "valid_to": row.valid_to.isoformat() if row.valid_to else None,
    }


async def _audited(
    context: Context,
    actor: Actor | str,
    action: str,
    row: RoleGrant,
    before: dict[str, str | None] | None = None,
) -> None:
    await auditing.note(
        context,
        actor,
        action,
        f"account/{row.account_id}",  # type: ignore[attr-defined]
        row.site,
        before=before,
        after=_period(row),
        role=row.role.value,
        scope=row.scope_type.value,
        scope_id=str(row.scope_id) if row.scope_id else None,
    )
    event = "account.role.given" if action == "role.give" else "account.role.taken"
    log.info(event, account=str(row.account_id), role=row.role.value)  # type: ignore[attr-defined]
