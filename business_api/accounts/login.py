"""Signing in, and what keeps guessing from paying off.

A try is written down before the password is looked at, and taken back when it was right:
so a thousand tries at once are counted like a thousand one after another. What is counted
is what was typed, whether such an account exists or not, and nothing in the answer tells
which it was. Sessions that are open already are never touched by somebody else's tries.
"""

import hashlib
import hmac
import math
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import structlog
from prometheus_client import Counter
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from business_api import auditing, phones
from business_api.accounts import passwords, private, sessions
from business_api.accounts.home import home
from business_api.accounts.models import Account, LoginFailure
from business_api.accounts.tokens import Tokens
from foundation.errors import DomainError, Kind
from foundation.rates import network
from foundation.runner import Context

log = structlog.get_logger()

SIGN_INS = Counter("sign_ins_total", "Tries to sign in, by outcome.", ["outcome"])

_LONGEST_USERNAME: Final = 64


class WrongCredentials(DomainError):
    """Username or password is wrong, or the account may not sign in: nobody says which."""

    kind, code = Kind.UNAUTHENTICATED, "wrong-credentials"
    title, title_zh = "Username or password is wrong", "用户名或密码不正确"


class TooManyTries(DomainError):
    """Too many wrong passwords, for this username or from this address."""

    kind, code = Kind.TOO_MANY, "too-many-tries"
    title, title_zh = "Too many wrong passwords, try later", "密码错误次数过多，请稍后再试"


def normal_username(typed: str) -> str:
    """The form in which usernames are stored and compared: NFKC, without case or margins."""
    return unicodedata.normalize("NFKC", typed.strip()).casefold()


@dataclass(frozen=True, slots=True)
class Challenge:
    """The first factor was right, the second is asked for. `expires_in` in seconds."""

    challenge: str
    expires_in: int


async def sign_in(
    context: Context, username: str, password: str, address: str, agent: str
) -> sessions.Issued | Challenge:
    """Open a session for the right password, or ask for the second factor.

    Raises:
        WrongCredentials: wrong, unknown or disabled.
        TooManyTries: the password was not even looked at.
        SignInBusy: see `passwords`.
    """
    name = normal_username(username)[:_LONGEST_USERNAME]
    phone = phones.dialled(name)
    typed = phone or name
    attempt = await count_try(context, typed, address)
    # A username is never a number (`staff.checked_username`), so each text names one account.
    known: dict[str, Any] = (
        {"phone_index": private.index(context, phone)} if phone else {"username": typed}
    )
    account = await Account.get_or_none(**known)
    right = await is_right_try(attempt, password, account.password_hash if account else None)
    if account is None or not right or account.disabled_at is not None:
        await refused(context, typed, account, address)
        raise WrongCredentials
    return await admit(context, account, address, agent, attempt)


async def admit(
    context: Context,
    account: Account,
    address: str,
    agent: str,
    attempt: LoginFailure | None = None,
) -> sessions.Issued | Challenge:
    """What follows the right first factor, whichever it was: a session, or the next question.

    Args:
        context: of the process.
        account: as it was when its first factor was found right.
        address: of the caller.
        agent: of the caller.
        attempt: the try that was counted; it is taken back.

    Raises:
        WrongCredentials: the account was disabled, or its password changed, meanwhile.
    """
    if account.totp_at is not None:
        if attempt is not None:
            await attempt.delete()
        SIGN_INS.labels("challenged").inc()
        life = context.settings.auth.challenge_life
        token = Tokens(context.keyring).challenge(
            account.id, state_of(account), now=context.clock(), life=life
        )
        return Challenge(token, int(life.total_seconds()))
    return await open_session(context, account, address, agent, attempt)


def state_of(account: Account) -> str:
    """What ends a challenge when it changes."""
    return f"{account.password_hash} {account.totp_at}"


async def open_session(
    context: Context,
    account: Account,
    address: str,
    agent: str,
    attempt: LoginFailure | None = None,
    *,
    last_check: Callable[[Account], Awaitable[bool]] | None = None,
) -> sessions.Issued:
    """The session itself, once every factor was right.

    Args:
        context: of the process.
        account: as it was when they were.
        address: of the caller.
        agent: of the caller.
        attempt: the try that was counted; it is taken back.
        last_check: of the locked account, in the transaction of the session.

    Raises:
        WrongCredentials: the account has changed meanwhile, or `last_check` says no.
    """
    async with in_transaction():
        # Again, and locked: the password may have been changed while it was being checked.
        locked = (
            await Account.filter(
                id=account.id, password_hash=account.password_hash, disabled_at=None
            )
            .select_for_update()
            .first()
        )
        if locked is None or locked.totp_at != account.totp_at:
            raise WrongCredentials
        if last_check is not None and not await last_check(locked):
            raise WrongCredentials
        if attempt is not None:
            await attempt.delete()
        issued = await sessions.begin(context, locked, address, agent)
        await auditing.note(
            context,
            f"account/{account.id}",
            "session.begin",
            f"session/{issued.session_id}",
            await home(account.id),
            address=address,
        )
    SIGN_INS.labels("signed_in").inc()
    log.info("account.signed_in", account=str(account.id))
    return issued


async def count_try(context: Context, key: str, address: str) -> LoginFailure:
    """Write down a try for `key` and from `address`; delete the row when it was right.

    Three statements. Every try commits its row before it counts, so of any number at once
    no more than the limit gets through.

    Raises:
        TooManyTries: with the seconds until the next one is allowed.
    """
    auth = context.settings.auth
    now = context.clock()
    since = now - auth.login_window
    attempt = await LoginFailure.create(who=_keyed(context, key), address=network(address), at=now)
    of_key = LoginFailure.filter(who=attempt.who, at__gt=since)
    of_address = LoginFailure.filter(address=attempt.address, at__gt=since)
    for tries, most, outcome in (
        (of_key, auth.login_tries, "locked_account"),
        (of_address, auth.address_tries, "locked_address"),
    ):
        oldest = await _oldest_beyond(tries, most)
        if oldest is not None:
            await attempt.delete()
            SIGN_INS.labels(outcome).inc()
            log.warning("account.sign_in.locked", by=outcome, address=address)
            wait = (oldest + auth.login_window - now).total_seconds()
            raise TooManyTries(retry_after=max(1, math.ceil(wait)))
    return attempt


async def is_right_try(attempt: LoginFailure, password: str, stored: str | None) -> bool:
    """`passwords.is_right`; a password that could not be looked at is no try.

    Raises:
        SignInBusy: see `passwords`.
    """
    try:
        return await passwords.is_right(password, stored)
    except passwords.SignInBusy:
        await attempt.delete()
        raise


async def _oldest_beyond(tries: QuerySet[LoginFailure], most: int) -> datetime | None:
    """When the oldest of the tries was, if there are more than `most`."""
    times = await tries.order_by("at").limit(most + 1).values_list("at", flat=True)
    return times[0] if len(times) > most else None  # type: ignore[return-value]


async def refused(
    context: Context, typed: str, account: Account | None, address: str, *, by: str = "password"
) -> None:
    """Count and audit a try that was wrong. The same statements whether there is an account."""
    outcome: Literal["disabled", "refused"] = (
        "disabled" if account is not None and account.disabled_at is not None else "refused"
    )
    SIGN_INS.labels(outcome).inc()
    await auditing.note(
        context,
        auditing.PLATFORM,
        "session.refuse",
        f"account/{account.id}" if account else f"username/{_keyed(context, typed)[:16]}",
        await home(account.id if account else None),
        address=address,
        by=by,
    )


def _keyed(context: Context, typed: str) -> str:
    key = context.keyring.derive("login-failure")
    return hmac.digest(key, typed.encode(errors="replace"), hashlib.sha256).hex()
