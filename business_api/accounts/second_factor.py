"""The second factor of staff: time-based codes (TOTP, RFC 6238).

Enrolled in two steps: the secret is shown, and nothing is asked for until one right code has
shown that the authenticator has it. A code is good once and one step (30 s) early or late.
"""

from datetime import datetime
from typing import Final

import pyotp
import segno
import structlog
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import accounts, login, private, recovery_codes, sessions
from business_api.accounts.home import home
from business_api.accounts.models import Account
from business_api.accounts.schemas import EnrolmentOut
from business_api.actors import Actor
from foundation.errors import DomainError, Kind
from foundation.runner import Context
from foundation.security import same

log = structlog.get_logger()

STEP: Final = 30
"""Seconds."""

_ISSUER: Final = "linli"
_DIGITS: Final = 6
_SECRET: Final = 32
"""Base32 digits, of 5 bits: as long as the HMAC's key should be (RFC 4226, 4: 160 bits)."""


class WrongSecondFactor(DomainError):
    """The code is wrong, too old, or was used before."""

    kind, code, title = Kind.FORBIDDEN, "wrong-second-factor", "The code is wrong or was used"
    title_zh = "验证码不正确或已使用"


class SecondFactorOn(DomainError):
    """The account has a second factor: put it off first, to set up another."""

    kind, code, title = Kind.CONFLICT, "second-factor-on", "The second factor is on already"
    title_zh = "两步验证已开启"


class SecondFactorOff(DomainError):
    """The account has no second factor, or has not begun to set one up."""

    kind, code, title = Kind.CONFLICT, "second-factor-off", "There is no second factor"
    title_zh = "两步验证未开启"


async def begin(context: Context, actor: Actor, password: str, address: str) -> EnrolmentOut:
    """Make a secret for the actor's authenticator. One not confirmed yet is replaced.

    Raises:
        WrongPassword, TooManyTries, SignInBusy: see `accounts.confirm_password`.
        SecondFactorOn: there is one.
    """
    await accounts.confirm_password(context, actor, password, address)
    secret = pyotp.random_base32(_SECRET)
    async with in_transaction():
        account = await _locked(actor)
        if account.totp_at is not None:
            raise SecondFactorOn
        account.totp_sealed = private.seal(context, account, "totp", secret)
        await account.save(update_fields=["data_key", "totp_sealed"])
    called = account.username or str(account.id)
    uri = pyotp.TOTP(secret).provisioning_uri(name=called, issuer_name=_ISSUER)
    qr_svg = segno.make(uri, micro=False).svg_inline(scale=4)
    return EnrolmentOut(secret=secret, uri=uri, qr_svg=qr_svg)


async def confirm(context: Context, actor: Actor, code: str, address: str) -> list[str]:
    """Ask for the second factor from now on; the actor's other sessions end.

    Returns:
        The recovery codes, shown once.

    Raises:
        WrongSecondFactor: the authenticator does not have the secret, or its clock is wrong.
        SecondFactorOn: confirmed before.
        SecondFactorOff: nothing to confirm.
        TooManyTries: see `login`.
    """
    attempt = await login.count_try(context, f"second-factor/{actor.account_id}", address)
    async with in_transaction():
        account = await _locked(actor)
        if account.totp_at is not None:
            raise SecondFactorOn
        if account.totp_sealed is None:
            raise SecondFactorOff
        right = await _use_totp(context, account, code)
        if right:
            await attempt.delete()
            account.totp_at = context.clock()
            await account.save(update_fields=["totp_at"])
            codes = await recovery_codes.replace(context, account)
            ended = await sessions.end_all(
                account.id, context.clock(), "second_factor", keep=actor.session_id
            )
            await _audited(context, actor, "account.second_factor_on", account, ended=ended)
    if not right:
        raise WrongSecondFactor
    context.wake.kick(sessions.TOPIC)
    return codes


async def renew_codes(
    context: Context, actor: Actor, password: str, code: str, address: str
) -> list[str]:
    """New recovery codes; the old ones are good for nothing.

    Raises:
        WrongPassword, WrongSecondFactor, SecondFactorOff, TooManyTries, SignInBusy: see there.
    """
    account = await _confirmed(context, actor, password, code, address)
    async with in_transaction():
        codes = await recovery_codes.replace(context, account)
        await _audited(context, actor, "account.recovery_codes", account)
    return codes


async def put_off(context: Context, actor: Actor, password: str, code: str, address: str) -> None:
    """Ask for no second factor any more. The actor's other sessions end.

    Raises:
        WrongPassword, WrongSecondFactor, SecondFactorOff, TooManyTries, SignInBusy: see there.
    """
    account = await _confirmed(context, actor, password, code, address)
    async with in_transaction():
        await forget(context, actor, account, keep=actor)
    context.wake.kick(sessions.TOPIC)


async def forget(
    context: Context, by: Actor | str, account: Account, *, keep: Actor | None = None
) -> None:
    """Forget the second factor of an account, in the caller's transaction."""
    account.totp_sealed = account.totp_at = None
    await account.save(update_fields=["totp_sealed", "totp_at"])
    await recovery_codes.forget(account)
    ended = await sessions.end_all(
        account.id, context.clock(), "second_factor", keep=keep.session_id if keep else None
    )
    await _audited(context, by, "account.second_factor_off", account, ended=ended)


async def use(context: Context, account: Account, code: str) -> bool:
    """Whether `code` is right for `account`; it is used up then. In a transaction or not."""
    typed = "".join(code.split())
    if len(typed) == _DIGITS and typed.isascii() and typed.isdigit():
        return await _use_totp(context, account, typed)
    return await recovery_codes.use(context, account, typed)


async def _confirmed(
    context: Context, actor: Actor, password: str, code: str, address: str
) -> Account:
    await accounts.confirm_password(context, actor, password, address)
    attempt = await login.count_try(context, f"second-factor/{actor.account_id}", address)
    account = await Account.get(id=actor.account_id)
    if account.totp_at is None:
        await attempt.delete()
        raise SecondFactorOff
    if not await use(context, account, code):
        raise WrongSecondFactor
    await attempt.delete()
    return account


async def _use_totp(context: Context, account: Account, code: str) -> bool:
    secret = private.unseal(context, account, "totp", account.totp_sealed)
    if secret is None:
        return False
    step = _step_of(secret, code, context.clock(), after=account.totp_step)
    if step is None:
        return False
    # The condition decides between two at once: a code is good once (RFC 6238, 5.2).
    unused = Account.filter(id=account.id, totp_step__lt=step)
    return bool(await unused.update(totp_step=step))


def _step_of(secret: str, code: str, now: datetime, *, after: int) -> int | None:
    """The step whose code it is: this one, the one before or the one behind."""
    totp = pyotp.TOTP(secret, interval=STEP)
    here = int(now.timestamp()) // STEP
    found = None
    for step in (here - 1, here, here + 1):
        if same(totp.generate_otp(step), code) and step > after:
            found = step
    return found


async def _locked(actor: Actor) -> Account:
    return await Account.filter(id=actor.account_id).select_for_update().get()


async def _audited(
    context: Context, by: Actor | str, action: str, account: Account, ended: int = 0
) -> None:
    where, about = await home(account.id), f"account/{account.id}"
    await auditing.note(context, by, action, about, where, sessions_ended=ended)
    log.info("account.second_factor.changed", action=action, account=str(account.id))
