"""Accounts of staff: made with a role at a place (F3), edited by whoever manages them."""

import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api import auditing, phones
from business_api.accounts import (
    login,
    management,
    passwords,
    private,
    roles,
    second_factor,
    sessions,
)
from business_api.accounts.errors import BadUsername, UsernameTaken
from business_api.accounts.home import home
from business_api.accounts.models import Account
from business_api.actors import Actor
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.versions import Stale
from foundation.ids import new_id
from foundation.runner import Context

_USERNAME: Final = re.compile(r"[\w.@+-]{2,64}")


@dataclass(frozen=True, slots=True)
class NewStaff:
    """Somebody who is to work with the platform, as typed. `password` None: make one up."""

    username: str
    password: str | None = field(repr=False)
    name: str
    phone: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The same, checked and hashed. `made_up`: the password, when it was not given."""

    username: str
    name: str
    password_hash: str = field(repr=False)
    phone: str | None = field(repr=False)
    made_up: str | None = field(repr=False)
    must_change: bool


async def prepare(new: NewStaff, *words: str, must_change: bool = True) -> Prepared:
    """Check and hash; apart from `create`, because hashing must not hold up a transaction.

    Args:
        new: as typed.
        words: names of the organisations around, which make no password.
        must_change: the password is another one's to know, and good for one sign-in only.

    Raises:
        BadUsername, BadPhone, WeakPassword, SignInBusy: see there.
    """
    username = checked_username(new.username)
    phone = phones.normal(new.phone) if new.phone else None
    made_up = passwords.made_up() if new.password is None else None
    password = made_up or new.password or ""
    passwords.check_rules(password, username, new.name, *words)
    hashed = await passwords.hash_password(password)
    return Prepared(username, new.name, hashed, phone, made_up, must_change)


def checked_username(typed: str) -> str:
    """The username in the form in which it is stored.

    Raises:
        BadUsername: it has signs that no username has, or is somebody's telephone number.
    """
    username = login.normal_username(typed)
    if not _USERNAME.fullmatch(username) or phones.dialled(username):
        raise BadUsername
    return username


async def create(
    context: Context, actor: Actor | str, prepared: Prepared, role: Role, site: Site
) -> Account:
    """Make an account that holds `role` at `site`. Joins the caller's transaction.

    The telephone number is kept for people to call, and not to sign in with: who has it may
    be a resident here too, with an account of its own.

    Raises:
        UsernameTaken: usernames are unique on the whole platform, without regard to case.
        MayNotGive, BadScope: see `roles.check`.
    """
    roles.check(actor, role, site, now=context.clock())
    account = Account(
        id=new_id(),
        username=prepared.username,
        password_hash=prepared.password_hash,
        must_change_password=prepared.must_change,
        password_set_by=actor.account_id if isinstance(actor, Actor) else None,
        name=prepared.name,
        created_at=context.clock(),
        created_by=actor.account_id if isinstance(actor, Actor) else None,
    )
    if prepared.phone:
        account.phone_sealed = private.seal(context, account, "phone", prepared.phone)
    try:
        async with in_transaction():
            await account.save(force_create=True)
            about = f"account/{account.id}"
            await auditing.note(context, actor, "account.create", about, site)
            period = (None, roles.until(actor, role, site))
            await roles.write(context, actor, account.id, role, site, period=period)
    except IntegrityError:
        raise UsernameTaken from None
    return account


async def edit(
    context: Context,
    actor: Actor,
    account_id: UUID,
    version: int,
    *,
    name: str | None = None,
    phone: str | None = None,
) -> None:
    """Change what is given; an empty `phone` takes the number away.

    Raises:
        NoSuchAccount, MayNotManage, NotYourself, ResidentsAccount: see `management`.
        BadPhone: this cannot be one.
        Stale: somebody else was faster.
    """
    number = phones.normal(phone) if phone else None
    await management.managed(actor, account_id)
    async with in_transaction():
        account = await management.locked(actor, account_id)
        if account.version != version:
            raise Stale
        changed = []
        if name is not None and name != account.name:
            account.name = name
            changed.append("name")
        if phone is not None:
            sealed = private.seal(context, account, "phone", number) if number else None
            account.phone_sealed = sealed
            changed.append("phone")
        if not changed:
            return
        account.version += 1
        await account.save(update_fields=["name", "phone_sealed", "data_key", "version"])
        where = await home(account.id)
        about = f"account/{account.id}"
        await auditing.note(context, actor, "account.change", about, where, changed=changed)
    context.wake.kick(sessions.TOPIC)


async def reset_second_factor(context: Context, actor: Actor | str, account_id: UUID) -> None:
    """Forget a second factor that was lost. All sessions of the account end.

    Raises:
        NoSuchAccount, MayNotManage, NotYourself, ResidentsAccount: see `management`.
        SecondFactorOff: there is none.
    """
    if isinstance(actor, Actor):
        await management.managed(actor, account_id)
    async with in_transaction():
        if isinstance(actor, Actor):
            account = await management.locked(actor, account_id)
        else:
            account = await Account.filter(id=account_id).select_for_update().get()
        if account.totp_at is None:
            raise second_factor.SecondFactorOff
        await second_factor.forget(context, actor, account)
    context.wake.kick(sessions.TOPIC)
