"""Making accounts, changing their passwords, shutting them out."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import login, passwords, sessions
from business_api.accounts.models import Account
from business_api.actors import Actor
from business_api.authz.scope import Site
from device_registry.access import grants
from foundation.errors import DomainError, Kind
from foundation.runner import Context

_USERNAME: Final = re.compile(r"[\w.@+-]{2,64}")


class UsernameTaken(DomainError):
    """Another account has this username."""

    kind, code, title = Kind.CONFLICT, "username-taken", "The username is taken"
    title_zh = "用户名已被使用"


class BadUsername(DomainError):
    """Letters, digits and . @ + - _ only; 2 to 64 of them."""

    kind, code, title = Kind.INVALID, "bad-username", "This cannot be a username"
    title_zh = "用户名格式不正确"


class NoSuchAccount(DomainError):
    """There is no such account, or it is not in your community."""

    kind, code, title = Kind.NOT_FOUND, "no-such-account", "There is no such account"
    title_zh = "账号不存在"


class WrongPassword(DomainError):
    """The current password was asked for and is wrong."""

    kind, code, title = Kind.FORBIDDEN, "wrong-password", "The current password is wrong"
    title_zh = "当前密码不正确"


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account, without anything secret."""

    id: UUID
    username: str | None
    name: str
    disabled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; see `prepare`."""

    username: str
    password_hash: str
    name: str


async def prepare(username: str, password: str, name: str) -> NewAccount:
    """Check and hash; apart from `create`, because hashing must not hold up a transaction.

    Raises:
        BadUsername, WeakPassword, SignInBusy: see there.
    """
    username = login.normal_username(username)
    if not _USERNAME.fullmatch(username):
        raise BadUsername
    passwords.check_rules(password, username)
    password_hash = await passwords.hash_password(password)
    return NewAccount(username, password_hash, name)


async def create(context: Context, actor: str, new: NewAccount) -> AccountRow:
    """Make an account.

    Raises:
        UsernameTaken: usernames are unique on the whole platform, without regard to case.
    """
    async with in_transaction():
        try:
            account = await Account.create(
                username=new.username,
                password_hash=new.password_hash,
                name=new.name,
                created_at=context.clock(),
            )
        except IntegrityError:
            raise UsernameTaken from None
        await _audited(context, actor, "account.create", account)
    return _row(account)


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
    """Accounts by username, those behind `after`, and how many there are. Two statements."""
    rows = await Account.filter(username__gt=after).order_by("username").limit(limit)
    return [_row(row) for row in rows], await Account.all().count()


async def change_password(
    context: Context, actor: Actor, current: str, new: str, address: str
) -> None:
    """Change the actor's own password. All other sessions of the account end.

    Raises:
        WrongPassword: `current` is wrong; tries are counted apart from those to sign in, so
            that nobody outside can keep the owner from changing it.
        TooManyTries, WeakPassword, SignInBusy: see there.
    """
    account = await _account(actor.account_id)
    passwords.check_rules(new, account.username or "")
    attempt = await login.count_try(context, f"password/{account.id}", address)
    if not await login.is_right_try(attempt, current, account.password_hash):
        raise WrongPassword
    await attempt.delete()
    await _set_password(context, actor.audit, account, new, keep=actor.session_id)


async def reset_password(context: Context, actor: str, account_id: UUID, new: str) -> None:
    """Set somebody's password. All sessions of the account end.

    Raises:
        NoSuchAccount, WeakPassword, SignInBusy: see there.
    """
    account = await _account(account_id)
    passwords.check_rules(new, account.username or "")
    await _set_password(context, actor, account, new)


async def disable(context: Context, actor: str, account_id: UUID) -> None:
    """Shut an account out: its sessions end and its remote openings stop at once.

    Raises:
        NoSuchAccount: there is none.
    """
    await _switch(context, actor, account_id, disabled=True)


async def enable(context: Context, actor: str, account_id: UUID) -> None:
    """Let an account sign in again.

    Raises:
        NoSuchAccount: there is none.
    """
    await _switch(context, actor, account_id, disabled=False)


async def _switch(context: Context, actor: str, account_id: UUID, *, disabled: bool) -> None:
    account = await _account(account_id)
    now = context.clock()
    async with in_transaction():
        account.disabled_at = now if disabled else None
        await account.save(update_fields=["disabled_at"])
        if disabled:
            await sessions.end_all(account_id, now, "disabled")
        # The second authorisation of an opening (R8) reads the grants, not the account.
        await grants.suspend_remote(
            account_id,
            disabled,
            actor=actor,
            clock=context.clock,
        )
        action = "account.disable" if disabled else "account.enable"
        await _audited(context, actor, action, account)
    context.wake.kick(sessions.TOPIC)


async def _set_password(
    context: Context, actor: str, account: Account, new: str, *, keep: UUID | None = None
) -> None:
    account.password_hash = await passwords.hash_password(new)
    async with in_transaction():
        await account.save(update_fields=["password_hash"])
        ended = await sessions.end_all(account.id, context.clock(), "password", keep=keep)
        await _audited(context, actor, "account.password", account, sessions_ended=ended)
    context.wake.kick(sessions.TOPIC)


async def _audited(
    context: Context, actor: str, action: str, account: Account, **facts: str | int
) -> None:
    await auditing.note(context, actor, action, f"account/{account.id}", Site(), **facts)


async def _account(account_id: UUID) -> Account:
    account = await Account.get_or_none(id=account_id)
    if account is None:
        raise NoSuchAccount
    return account


def _row(account: Account) -> AccountRow:
    return AccountRow(
        account.id,
        account.username,
        account.name,
        account.disabled_at,
        account.created_at,
    )
