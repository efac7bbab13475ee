"""Accounts as others name them, their passwords, and shutting them out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import login, management, passwords, roles, scopes, sessions
from business_api.accounts.errors import NoSuchAccount, WrongPassword
from business_api.accounts.home import home
from business_api.accounts.models import Account, FirstPassword, RoleGrant
from business_api.actors import Actor
from business_api.authz.roles import Role
from device_registry.access import grants
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account, without anything secret."""

    id: UUID
    username: str | None
    name: str
    disabled_at: datetime | None
    created_at: datetime


async def get(account_id: UUID) -> AccountRow:
    """One account.

    Raises:
        NoSuchAccount: there is none.
    """
    return _row(await _account(account_id))


async def of_ids(account_ids: Collection[UUID]) -> dict[UUID, AccountRow]:
    """The accounts there are of these; one statement."""
    rows = await Account.filter(id__in=list(account_ids)) if account_ids else []
    return {row.id: _row(row) for row in rows}


async def find(username: str) -> AccountRow:
    """One account, by its username.

    Raises:
        NoSuchAccount: there is none.
    """
    account = await Account.get_or_none(username=login.normal_username(username))
    if account is None:
        raise NoSuchAccount
    return _row(account)


async def listed(*, after: str = "", limit: int = 100) -> tuple[list[AccountRow], int]:
    """Staff by username, those behind `after`, and how many there are. Two statements."""
    staff = Account.filter(username__not_isnull=True)
    rows = await staff.filter(username__gt=after).order_by("username").limit(limit)
    return [_row(row) for row in rows], await staff.count()


async def confirm_password(context: Context, actor: Actor, password: str, address: str) -> Account:
    """The actor's account, if that is its password.

    Raises:
        WrongPassword: tries are counted apart from those to sign in, so that nobody outside
            can keep the owner from changing it.
        TooManyTries, SignInBusy: see there.
    """
    account = await _account(actor.account_id)
    attempt = await login.count_try(context, f"password/{account.id}", address)
    if not await login.is_right_try(attempt, password, account.password_hash):
        raise WrongPassword
    await attempt.delete()
    return account


async def change_password(
    context: Context, actor: Actor, current: str, new: str, address: str
) -> None:
    """Change the actor's own password. All other sessions of the account end.

    Raises:
        WrongPassword: `current` is wrong.
        WeakPassword: `new` does not meet the rules, or is the one there is.
        TooManyTries, SignInBusy: see there.
    """
    account = await _account(actor.account_id)
    names = (account.username or "", account.name)
    passwords.check_rules(new, *names, *await scopes.words_of(account.id))
    account = await confirm_password(context, actor, current, address)
    if account.must_change_password and new == current:
        raise passwords.WeakPassword("another one than was given", reason="unchanged")
    hashed = await passwords.hash_password(new)
    async with in_transaction():
        await _set_password(context, actor, account, hashed, keep=actor.session_id)
    context.wake.kick(sessions.TOPIC)


async def reset_password(
    context: Context,
    actor: Actor | str,
    account_id: UUID,
    new: str,
    *,
    must_change: bool | None = None,
) -> None:
    """Set somebody's password. All sessions of the account end.

    Args:
        context: of the process.
        actor: who; a command line may do it to everybody.
        account_id: whose.
        new: the password.
        must_change: before anything else; unless said, when an actor sets it.

    Raises:
        NoSuchAccount, MayNotManage, NotYourself, ResidentsAccount: see `management`.
        WeakPassword, SignInBusy: see `passwords`.
    """
    account = await _theirs(actor, account_id)
    names = (account.username or "", account.name)
    passwords.check_rules(new, *names, *await scopes.words_of(account.id))
    hashed = await passwords.hash_password(new)
    if must_change is None:
        must_change = isinstance(actor, Actor)
    async with in_transaction():
        account = await _locked(actor, account_id)
        await _set_password(context, actor, account, hashed, must_change=must_change)
    context.wake.kick(sessions.TOPIC)


async def disable(context: Context, actor: Actor | str, account_id: UUID) -> None:
    """Shut an account out: its sessions end and its remote openings stop at once.

    Raises:
        NoSuchAccount, MayNotManage, NotYourself, ResidentsAccount: see `management`.
        LastSuperAdmin: nobody could make an operator any more.
    """
    await _switch(context, actor, account_id, disabled=True)


async def enable(context: Context, actor: Actor | str, account_id: UUID) -> None:
    """Let an account sign in again.

    Raises:
        NoSuchAccount, MayNotManage, NotYourself, ResidentsAccount: see `management`.
    """
    await _switch(context, actor, account_id, disabled=False)


async def _switch(
    context: Context, actor: Actor | str, account_id: UUID, *, disabled: bool
) -> None:
    now = context.clock()
    await _theirs(actor, account_id)
    async with in_transaction():
        account = await _locked(actor, account_id)
        if disabled and await _is_super_admin(account.id, now):
            await roles.keep_a_super_admin(context, without=account.id)
        before = account.disabled_at
        account.disabled_at = (before or now) if disabled else None
        await account.save(update_fields=["disabled_at"])
        where = await home(account.id)
        if disabled:
            await sessions.end_all(account_id, now, "disabled")
        # The second authorisation of an opening (R8) reads the grants, not the account.
        await grants.suspend_remote(
            account_id,
            disabled,
            actor=actor.audit if isinstance(actor, Actor) else actor,
            community_id=where.community_id,
            clock=context.clock,
        )
        action = "account.disable" if disabled else "account.enable"
        await auditing.note(context, actor, action, f"account/{account.id}", where)
    context.wake.kick(sessions.TOPIC)


async def _set_password(
    context: Context,
    actor: Actor | str,
    account: Account,
    hashed: str,
    *,
    keep: UUID | None = None,
    must_change: bool = False,
) -> None:
    account.password_hash, account.must_change_password = hashed, must_change
    account.password_set_by = actor.account_id if isinstance(actor, Actor) else None
    await account.save(update_fields=["password_hash", "must_change_password", "password_set_by"])
    await FirstPassword.filter(account_id=account.id).delete()
    ended = await sessions.end_all(account.id, context.clock(), "password", keep=keep)
    await auditing.note(
        context,
        actor,
        "account.password",
        f"account/{account.id}",
        await home(account.id),
        sessions_ended=ended,
    )


async def _theirs(actor: Actor | str, account_id: UUID) -> Account:
    """The account, if it is the actor's to manage; a command line may manage all."""
    if isinstance(actor, Actor):
        return await management.managed(actor, account_id)
    return await _account(account_id)


async def _locked(actor: Actor | str, account_id: UUID) -> Account:
    """The same again, as it is until the end of the transaction."""
    if isinstance(actor, Actor):
        return await management.locked(actor, account_id)
    return await _account(account_id, lock=True)


async def _account(account_id: UUID, *, lock: bool = False) -> Account:
    which = Account.filter(id=account_id, deleted_at=None)
    account = await (which.select_for_update() if lock else which).first()
    if account is None:
        raise NoSuchAccount
    return account


async def _is_super_admin(account_id: UUID, now: datetime) -> bool:
    held = await RoleGrant.filter(account_id=account_id, role=Role.SUPER_ADMIN)
    return any(row.grant.live(now) for row in held)


def _row(account: Account) -> AccountRow:
    return AccountRow(
        account.id,
        account.username,
        account.name,
        account.disabled_at,
        account.created_at,
    )
