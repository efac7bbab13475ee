"""A password set by a code: the first one, or another when it is forgotten."""

from uuid import UUID

from tortoise.transactions import in_transaction

from business_api import auditing, phones
from business_api.accounts import one_time_codes, own_account, passwords, sessions
from business_api.accounts.home import home
from business_api.accounts.one_time_codes import Purpose
from business_api.accounts.phone_accounts import (
    count_code,
    find_by_phone,
    locked_by_phone,
    words_of,
)
from business_api.actors import Actor
from foundation.runner import Context


async def set_password(
    context: Context, phone: str, code: str, new: str, address: str, *, keep: UUID | None = None
) -> None:
    """Set a password by code. Every session of the account ends, but `keep`.

    Raises:
        WrongCode, CodeExpired, CodeLocked: see `one_time_codes`.
        WeakPassword: the code stays good for another one.
        BadPhone, TooManyTries, SignInBusy: see there.
    """
    phone = phones.normal_mobile(phone)
    # Before the code nothing may be said that depends on the account, as its name would.
    passwords.check_rules(new, *words_of(phone))
    attempt = await count_code(context, address)
    row = await one_time_codes.verify(context, Purpose.PASSWORD, phone, code)
    await attempt.delete()
    account = await find_by_phone(context, phone)
    passwords.check_rules(new, *words_of(phone), account.name if account else "")
    hashed = await passwords.hash_password(new)
    async with in_transaction():
        await one_time_codes.use(context, row)
        account = await locked_by_phone(context, phone)
        if account is None:
            raise one_time_codes.CodeExpired
        account.password_hash, account.must_change_password = hashed, False
        await account.save(update_fields=["password_hash", "must_change_password"])
        ended = await sessions.end_all(account.id, context.clock(), "password", keep=keep)
        about = f"account/{account.id}"
        where = await home(account.id)
        await auditing.note(
            context, about, "account.password", about, where, sessions_ended=ended, by="code"
        )
    context.wake.kick(sessions.TOPIC)


async def set_own_password(
    context: Context, actor: Actor, code: str, new: str, address: str
) -> None:
    """The same, for whoever is signed in: this session goes on.

    Raises:
        NotByPhone: see `own_account`. And what `set_password` raises.
    """
    phone = await own_account.number_of(context, await own_account.own(actor))
    await set_password(context, phone, code, new, address, keep=actor.session_id)
