"""What residents do with their own account: another number, everywhere signed out, the end.

An open session is not enough for what it would outlive: a phone left on a table would be
lost with everything. Each of these asks for the password, or a code to the number.

The end of an account is its owner's to decide at any time (PIPL, art. 47), also for the
verified owner of a house: who lives where is the community's own register and goes on in
`people` and `residents`, the owner still approves others by the code to the number there.
What ends are the sign-in and what hangs on it: sessions, and opening doors from afar. The
account's key is destroyed, so the number is noise in every copy of the row. Whoever works
here has to be let go first: roles are their giver's to take.
"""

from dataclasses import dataclass, field
from datetime import datetime

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api import auditing, phones
from business_api.accounts import accounts, one_time_codes, sessions
from business_api.accounts.errors import NoSuchAccount
from business_api.accounts.home import home
from business_api.accounts.models import Account, OneTimeCode, RecoveryCode, RoleGrant
from business_api.accounts.one_time_codes import Purpose
from business_api.accounts.phone_accounts import (
    PhoneTaken,
    find_by_phone,
    locked_by_phone,
    proven_phone_of,
    set_phone,
)
from business_api.actors import Actor
from business_api.language import Language
from business_api.people.models import Person
from business_api.sms import notices
from device_registry.access import grants
from foundation import outbox
from foundation.errors import DomainError, Kind
from foundation.runner import Context


class NotByPhone(DomainError):
    """The account signs in with a username: whoever gave it manages it."""

    kind, code = Kind.CONFLICT, "not-by-phone"
    title, title_zh = "This account does not sign in by phone", "该账号不使用手机号登录"


class InService(DomainError):
    """The account holds a role; whoever gave it takes it first."""

    kind, code = Kind.CONFLICT, "in-service"
    title, title_zh = "This account still holds a role", "该账号仍有工作角色，请先撤销"


class ProofNeeded(DomainError):
    """Neither password nor code was given."""

    kind, code, title = Kind.INVALID, "proof-needed", "A password or a code is needed"
    title_zh = "需要密码或验证码"


@dataclass(frozen=True, slots=True)
class Proof:
    """That it is the owner who asks, from `address`: a password or a code."""

    address: str
    password: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


async def send_code(
    context: Context, actor: Actor, purpose: Purpose, *, address: str, language: Language
) -> datetime:
    """Send a code to the own number: for a password, another number, or the end.

    Raises:
        NotByPhone: there is no number to sign in with.
        And what `one_time_codes.send` raises.
    """
    account = await own(actor)
    return await one_time_codes.send(
        context,
        purpose,
        await number_of(context, account),
        about=_about(account, purpose),
        address=address,
        language=language,
    )


async def send_code_to_new(
    context: Context, actor: Actor, phone: str, *, address: str, language: Language
) -> datetime:
    """Send a code to the number that is to become the own one.

    Raises:
        NotByPhone: see `send_code`. BadPhone, and what `one_time_codes.send` raises.
    """
    account = await own(actor)
    await number_of(context, account)
    taken = await find_by_phone(context, phone)
    return await one_time_codes.send(
        context,
        Purpose.PHONE,
        phone,
        about=f"account/{account.id}/new",
        address=address,
        language=language,
        instead="number_taken" if taken is not None else "",
    )


async def change_phone(context: Context, actor: Actor, phone: str, code: str, proof: Proof) -> None:
    """Move the account to another number: a code to that one, and proof of the old.

    All other sessions end; the old number is told.

    Raises:
        NotByPhone, ProofNeeded: see there.
        WrongPassword, TooManyTries, SignInBusy: see `accounts.confirm_password`.
        WrongCode, CodeExpired, CodeLocked: see `one_time_codes`; of either number.
        PhoneTaken: somebody has registered with it since the code was sent.
        BadPhone: not a number that receives messages.
    """
    phone = phones.normal_mobile(phone)
    account = await own(actor)
    old = await number_of(context, account)
    proven = await _prove(context, actor, account, Purpose.PHONE, proof)
    about = f"account/{account.id}"
    row = await one_time_codes.verify(context, Purpose.PHONE, phone, code, about=f"{about}/new")
    async with in_transaction():
        for used in (row, proven):
            if used is not None:
                await one_time_codes.use(context, used)
        locked = await locked_by_phone(context, old)
        if locked is None or locked.id != account.id:
            raise NotByPhone
        set_phone(context, locked, phone)
        try:
            await locked.save(update_fields=["phone_sealed", "phone_index", "data_key"])
        except IntegrityError:
            raise PhoneTaken from None
        now = context.clock()
        ended = await sessions.end_all(locked.id, now, "phone", keep=actor.session_id)
        where = await home(locked.id)
        await auditing.note(context, actor, "account.phone", about, where, sessions_ended=ended)
        language: Language = "en" if locked.language == "en" else "zh"
        await notices.post(context, old, "phone_changed", language)
    context.wake.kick(sessions.TOPIC)
    context.wake.kick(outbox.TOPIC)


async def sign_out_everywhere(context: Context, actor: Actor, *, others_only: bool) -> int:
    """End every session of the actor; how many it were. With `others_only` not this one."""
    keep = actor.session_id if others_only else None
    async with in_transaction():
        ended = await sessions.end_all(actor.account_id, context.clock(), "by_owner", keep=keep)
        about = f"account/{actor.account_id}"
        where = await home(actor.account_id)
        await auditing.note(context, actor, "session.end_all", about, where, sessions_ended=ended)
    context.wake.kick(sessions.TOPIC)
    return ended


async def delete(context: Context, actor: Actor, proof: Proof) -> None:
    """End the own account for good. Nothing personal is left in it; see the module.

    Raises:
        NotByPhone, InService, ProofNeeded: see there.
        WrongPassword, TooManyTries, SignInBusy: see `accounts.confirm_password`.
        WrongCode, CodeExpired, CodeLocked: see `one_time_codes`.
    """
    account = await own(actor)
    await number_of(context, account)
    proven = await _prove(context, actor, account, Purpose.DELETE, proof)
    now = context.clock()
    async with in_transaction():
        if proven is not None:
            await one_time_codes.use(context, proven)
        await grants.lock(account.id)  # before its persons, as everywhere (`residents.doors`)
        locked = await Account.filter(id=account.id, deleted_at=None).select_for_update().first()
        if locked is None:
            raise NoSuchAccount
        held = await RoleGrant.filter(account_id=account.id)
        if any(not grant.over(now) for grant in held):
            raise InService
        _empty(locked, now)
        await locked.save()
        await RecoveryCode.filter(account_id=account.id).delete()
        await sessions.end_all(account.id, now, "deleted")
        persons = await Person.filter(account_id=account.id).update(account_id=None, parted_at=now)
        await grants.suspend_remote(account.id, True, actor=actor.audit, clock=context.clock)
        about = f"account/{account.id}"
        where = await home(account.id)
        await auditing.note(context, actor, "account.delete", about, where, persons=persons)
    context.wake.kick(sessions.TOPIC)


def _empty(account: Account, now: datetime) -> None:
    """Without its key what was sealed with it is noise, here and in every copy."""
    account.name, account.username, account.password_hash = "", None, ""
    account.data_key = account.phone_sealed = account.totp_sealed = None
    account.phone_index = account.totp_at = None
    account.disabled_at = account.disabled_at or now
    account.deleted_at = now


async def _prove(
    context: Context,
    actor: Actor,
    account: Account,
    purpose: Purpose,
    proof: Proof,
) -> OneTimeCode | None:
    """Check the proof; the row of the code, to be used with the act."""
    if proof.password:
        await accounts.confirm_password(context, actor, proof.password, proof.address)
        return None
    if not proof.code:
        raise ProofNeeded
    number = await number_of(context, account)
    about = _about(account, purpose)
    return await one_time_codes.verify(context, purpose, number, proof.code, about=about)


def _about(account: Account, purpose: Purpose) -> str:
    """A password is set by the number alone, signed in or not; the rest is this account's."""
    return "" if purpose is Purpose.PASSWORD else f"account/{account.id}"


async def own(actor: Actor) -> Account:
    """The account of `actor`. One statement.

    Raises:
        NoSuchAccount: it has gone since the request was admitted.
    """
    account = await Account.get_or_none(id=actor.account_id, deleted_at=None)
    if account is None:
        raise NoSuchAccount
    return account


async def number_of(context: Context, account: Account) -> str:
    """The number the account signs in with; that of staff is only to call them.

    Raises:
        NotByPhone: there is none.
    """
    phone = await proven_phone_of(context, account)
    if phone is None:
        raise NotByPhone
    return phone
