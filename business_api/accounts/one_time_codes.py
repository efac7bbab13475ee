"""Codes sent to a phone: six digits that prove, for ten minutes, that somebody holds it.

Of a number's messages one a minute, five an hour and ten a day go out, and each code bears
five tries, so that who guesses at one number day after day has 50 in a million a day (5e-5),
whatever he asks for and from wherever. Ceilings on an address and on the whole platform bound
what somebody can make us spend on messages that nobody wanted (toll fraud).

A message is sent at once and not by the outbox: somebody waits for it, the code would have to
stand in the outbox, and one that comes late, after a newer one, is worse than none. What goes
wrong is said to the caller. No transaction is open meanwhile; the row is there before the
message, so a process that dies between the two leaves a request that counts.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import phonenumbers
import structlog
from prometheus_client import Counter
from tortoise.expressions import F

from business_api import auditing, phones, sms
from business_api.accounts import code_limits, private
from business_api.accounts.code_limits import CODES, TooManyCodes
from business_api.accounts.models import OneTimeCode
from business_api.language import Language
from business_api.sms.port import NOT_SENT
from foundation.errors import DomainError, Kind
from foundation.ids import new_id
from foundation.rates import network
from foundation.runner import Context
from foundation.security import same

log = structlog.get_logger()

__all__ = [
    "CodeExpired",
    "CodeLocked",
    "CountryNotServed",
    "Purpose",
    "TooManyCodes",
    "WrongCode",
    "check",
    "send",
    "use",
    "verify",
]

DIGITS: Final = 6
LIFE: Final = timedelta(minutes=10)
TRIES: Final = 5

TRIED = Counter("one_time_code_tries_total", "Codes that were shown, by outcome.", ["outcome"])


class Purpose(StrEnum):
    """What a code is good for, and nothing else."""

    REGISTER = "register"
    SIGN_IN = "sign_in"
    PASSWORD = "password"  # noqa: S105  (the name of a purpose)
    PHONE = "phone"
    DELETE = "delete"
    CERTIFICATION = "certification"


class CountryNotServed(DomainError):
    """No codes are sent to numbers of this country."""

    kind, code = Kind.INVALID, "country-not-served"
    title, title_zh = "No codes are sent to this country", "暂不支持该国家或地区的手机号"


class WrongCode(DomainError):
    """Not the code that was sent last; `tries_left` with the same one."""

    kind, code = Kind.FORBIDDEN, "wrong-code"
    title, title_zh = "The code is wrong", "验证码不正确"


class CodeExpired(DomainError):
    """There is no code that is still good: none was sent, it is too old, or it was used."""

    kind, code = Kind.FORBIDDEN, "code-expired"
    title, title_zh = "The code is no longer good, ask for another", "验证码已失效，请重新获取"


class CodeLocked(DomainError):
    """Too many wrong tries; a new code has to be asked for."""

    kind, code = Kind.FORBIDDEN, "code-locked"
    title, title_zh = "Too many wrong codes, ask for another", "验证码错误次数过多，请重新获取"


async def send(
    context: Context,
    purpose: Purpose,
    phone: str,
    *,
    about: str = "",
    address: str = "",
    language: Language = "zh",
    instead: str = "",
) -> datetime:
    """Send a code. The one before it, of the same purpose and matter, is good no longer.

    Not inside a transaction. Five statements, whatever it sends.

    Args:
        context: of the process.
        purpose: what it will be good for.
        phone: in any form that `phones` reads.
        about: the matter, e.g. `certification/{id}`; up to 80 characters.
        address: whose share it is; empty: that of the request under way, if any.
        language: of the message.
        instead: the template of another message to be sent in place of the code. Nothing in
            answer, count or effort tells the caller which it was.

    Returns:
        When the code expires.

    Raises:
        BadPhone: not a number that receives messages.
        CountryNotServed, TooManyCodes: see there; with `retry_after`, seconds.
        SmsUnavailable, SmsRefused, SmsFlowControl, NumberRefused: it could not be sent. It
            counts all the same: who can make it fail could ask without end.
    """
    phone = phones.normal_mobile(phone)
    if phonenumbers.region_code_for_number(phonenumbers.parse(phone)) not in (
        context.settings.sms.regions
    ):
        raise CountryNotServed
    secret = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    row = OneTimeCode(
        id=new_id(),
        purpose=purpose.value,
        phone_index=private.index(context, phone),
        about=about,
        address=network(address or auditing.address.get()),
    )
    row.code_hash = secrets.token_hex(32) if instead else _hash(context, row, secret)
    await code_limits.be_next(context, row, LIFE)
    await code_limits.heed_ceilings(context, row)
    words = {} if instead else {"code": secret, "minutes": f"{LIFE // timedelta(minutes=1)}"}
    template = instead or f"code_{purpose}"
    try:
        await sms.sender(context).send(phone, template, words, language)
    except NOT_SENT:
        CODES.labels("failed").inc()
        await OneTimeCode.filter(id=row.id).update(code_hash="")
        raise
    CODES.labels("sent").inc()
    log.info("code.sent", purpose=purpose.value)
    return row.expires_at


async def check(
    context: Context, purpose: Purpose, phone: str, code: str, *, about: str = ""
) -> None:
    """Use up a code. Not inside a transaction: a wrong try has to count whatever follows.

    Who wants the code back when what follows fails takes `verify`, then `use` in the
    transaction of the act.

    Raises:
        BadPhone: not a number.
        WrongCode, CodeExpired, CodeLocked: see there.
    """
    await use(context, await verify(context, purpose, phone, code, about=about))


async def verify(
    context: Context, purpose: Purpose, phone: str, code: str, *, about: str = ""
) -> OneTimeCode:
    """The row of a right code, for `use`. Counts the try. Two or three statements.

    The try is counted in a statement that lets five through, before the code is looked at:
    of a thousand at once five are compared.

    Raises:
        BadPhone, WrongCode, CodeExpired, CodeLocked: see `check`.
    """
    index = private.index(context, phones.normal_mobile(phone))
    sent = OneTimeCode.filter(purpose=purpose.value, phone_index=index, about=about)
    row = await sent.exclude(code_hash="").order_by("-turn").first()
    if row is None or row.used_at is not None or row.expires_at <= context.clock():
        TRIED.labels("expired").inc()
        raise CodeExpired
    counted = await OneTimeCode.filter(id=row.id, tries__lt=TRIES).update(tries=F("tries") + 1)
    if not counted:
        TRIED.labels("locked").inc()
        raise CodeLocked
    if not same(row.code_hash, _hash(context, row, code)):
        TRIED.labels("wrong").inc()
        await row.refresh_from_db(fields=["tries"])
        raise WrongCode(tries_left=TRIES - row.tries)
    TRIED.labels("right").inc()
    return row


async def use(context: Context, row: OneTimeCode) -> None:
    """Use up a right code; joins the caller's transaction, and comes back with it.

    Raises:
        CodeExpired: somebody else was faster with it.
    """
    unused = OneTimeCode.filter(id=row.id, used_at=None)
    if not await unused.update(used_at=context.clock()):
        raise CodeExpired


def _hash(context: Context, row: OneTimeCode, code: str) -> str:
    """Of a code for this row: elsewhere the same digits have another hash."""
    key = context.keyring.derive("one-time-code")
    bound = "\n".join((row.purpose, row.phone_index, row.about, str(row.id), code))
    return hmac.digest(key, bound.encode(errors="replace"), hashlib.sha256).hex()
