"""Residents' accounts: a telephone number, and whatever proves that it is theirs.

Nobody learns from outside which numbers have an account: who asks for a code gets the same
answer in the same time, and the owner of the number gets a code or a word that tells him how
things are (`_instead`).
"""

from dataclasses import dataclass, field
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api import auditing, phones
from business_api.accounts import login, one_time_codes, passwords, private, sessions
from business_api.accounts.models import Account, LoginFailure
from business_api.accounts.one_time_codes import Purpose
from business_api.authz.scope import Site
from business_api.language import Language
from foundation.errors import DomainError, Kind
from foundation.ids import new_id, new_ulid
from foundation.runner import Context


class PhoneTaken(DomainError):
    """Another account has this number."""

    kind, code, title = Kind.CONFLICT, "phone-taken", "There is an account with this number"
    title_zh = "该手机号已注册"


@dataclass(frozen=True, slots=True)
class NewResident:
    """Somebody who registers, as typed."""

    phone: str = field(repr=False)
    code: str = field(repr=False)
    name: str
    password: str | None = field(default=None, repr=False)
    language: Language = "zh"


async def find_by_phone(context: Context, phone: str) -> Account | None:
    """The account that signs in with this number, disabled or not. One statement.

    Raises:
        BadPhone: not a number that receives messages.
    """
    index = private.index(context, phones.normal_mobile(phone))
    return await Account.get_or_none(phone_index=index)


async def phone_of(context: Context, account: Account) -> str | None:
    """The number of an account (E.164), in clear; None when it has none. No statement."""
    return private.unseal(context, account, "phone", account.phone_sealed)


async def proven_phone_of(context: Context, account: Account) -> str | None:
    """The same, if its owner has shown a code for it. No statement.

    What staff write down of a colleague is to call somebody, and proves nothing.
    """
    return await phone_of(context, account) if account.phone_index else None


async def send_code(
    context: Context, purpose: Purpose, phone: str, *, address: str, language: Language
) -> datetime:
    """Send a code to register, to sign in or to set a password: to whom it may concern.

    The same statements, answer and message count whether the number has an account or not.

    Raises:
        BadPhone, and what `one_time_codes.send` raises.
    """
    account = await find_by_phone(context, phone)
    return await one_time_codes.send(
        context,
        purpose,
        phone,
        address=address,
        language=language,
        instead=_instead(purpose, account),
    )


def _instead(purpose: Purpose, account: Account | None) -> str:
    """The message for somebody whom a code would not help."""
    if purpose is Purpose.REGISTER:
        return "have_account" if account is not None else ""
    return "no_account" if account is None or account.disabled_at is not None else ""


async def register(
    context: Context,
    phone: str,
    name: str,
    password: str | None = None,
    *,
    language: Language = "zh",
) -> Account:
    """Make an account for somebody whose number needs no proof here. See `sign_up`.

    Not inside a transaction: the password is hashed.

    Raises:
        PhoneTaken, BadPhone, WeakPassword, SignInBusy: see there.
    """
    phone = phones.normal_mobile(phone)
    hashed = await _hashed(password, phone, name)
    async with in_transaction():
        return await _create(context, phone, name, hashed, language)


async def sign_up(
    context: Context, new: NewResident, address: str, agent: str
) -> sessions.Issued | login.Challenge:
    """Register with a code, and sign in.

    Code, account and session commit together: what fails half-way can be done again with the
    same code, and of two that send it at once one gets the account.

    Raises:
        WrongCode, CodeExpired, CodeLocked: see `one_time_codes`.
        PhoneTaken: the account was made while the code was under way.
        BadPhone, WeakPassword, SignInBusy: see there; the code stays good.
        TooManyTries: too many wrong codes and passwords from this address.
    """
    phone = phones.normal_mobile(new.phone)
    _check(new.password, phone, new.name)
    attempt = await count_code(context, address)
    row = await one_time_codes.verify(context, Purpose.REGISTER, phone, new.code)
    hashed = await _hashed(new.password, phone, new.name)
    async with in_transaction():
        await one_time_codes.use(context, row)
        account = await _create(context, phone, new.name, hashed, new.language)
        return await login.admit(context, account, address, agent, attempt)


async def sign_in(
    context: Context, phone: str, code: str, address: str, agent: str
) -> sessions.Issued | login.Challenge:
    """Sign in with a code instead of a password; the second factor is asked for all the same.

    Raises:
        WrongCode, CodeExpired, CodeLocked: see `one_time_codes`.
        WrongCredentials: the account has gone since the code was sent.
        BadPhone: not a number that receives messages.
        TooManyTries: too many wrong codes and passwords from this address. Nobody can use up
            the tries of a number's password here, nor those of the code with passwords.
    """
    phone = phones.normal_mobile(phone)
    attempt = await count_code(context, address)
    row = await one_time_codes.verify(context, Purpose.SIGN_IN, phone, code)
    async with in_transaction():
        await one_time_codes.use(context, row)
        account = await locked_by_phone(context, phone)
        if account is None:
            raise login.WrongCredentials
        return await login.admit(context, account, address, agent, attempt)


async def count_code(context: Context, address: str) -> LoginFailure:
    """Count a code shown from outside against its address; the code itself bears five.

    Raises:
        TooManyTries: too many from this address.
    """
    return await login.count_try(context, f"code/{new_ulid()}", address)


async def locked_by_phone(context: Context, phone: str) -> Account | None:
    """The account that may sign in with this number (E.164), locked in the transaction."""
    index = private.index(context, phone)
    return await Account.filter(phone_index=index, disabled_at=None).select_for_update().first()


def set_phone(context: Context, account: Account, phone: str) -> None:
    """Make `phone` (E.164) the account's; save `phone_sealed`, `phone_index`, `data_key`."""
    account.phone_sealed = private.seal(context, account, "phone", phone)
    account.phone_index = private.index(context, phone)


async def _create(
    context: Context, phone: str, name: str, hashed: str, language: Language
) -> Account:
    """The row, in the caller's transaction; the unique index decides whose the number is."""
    account = Account(
        id=new_id(),
        name=name,
        password_hash=hashed,
        language=language,
        created_at=context.clock(),
    )
    set_phone(context, account, phone)
    try:
        await account.save(force_create=True)
    except IntegrityError:
        raise PhoneTaken from None
    about = f"account/{account.id}"
    await auditing.note(context, about, "account.register", about, Site())
    return account


def _check(password: str | None, phone: str, name: str) -> None:
    if password is not None:
        passwords.check_rules(password, *words_of(phone), name)


def words_of(phone: str) -> tuple[str, str]:
    """What of a number makes no password."""
    return phone, phone.removeprefix("+86")


async def _hashed(password: str | None, phone: str, name: str) -> str:
    _check(password, phone, name)
    return "" if password is None else await passwords.hash_password(password)
