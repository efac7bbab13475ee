"""How many codes go out: to a number, for an address, for the whole platform."""

import math
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Counter
from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet

from business_api.accounts.models import OneTimeCode
from foundation import conditions
from foundation.errors import DomainError, Kind
from foundation.runner import Context

CODES = Counter("one_time_codes_total", "Requests for a code, by outcome.", ["outcome"])

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
PER_NUMBER: Final = ((timedelta(minutes=1), 1), (_HOUR, 5), (_DAY, 10))
"""Messages to a number in any such time. Those of the providers in China are the same."""

KEPT: Final = timedelta(days=2)
"""Then no limit asks for the row any more, and `housekeeping` forgets it."""

_RACES: Final = 3
_CONDITION: Final = ("codes_ceiling", "platform/codes")


class TooManyCodes(DomainError):
    """No message now: for this number, from this address, or at all."""

    kind, code = Kind.TOO_MANY, "too-many-codes"
    title, title_zh = "Too many codes were asked for, try later", "验证码请求过于频繁，请稍后再试"


async def be_next(context: Context, row: OneTimeCode, life: timedelta) -> None:
    """Write the row down as the next of its phone, if the phone's limits have room for it.

    Of several requests at once one gets the turn; the others look again, and find it there.
    """
    for _ in range(_RACES):
        now = context.clock()
        before = (
            await OneTimeCode.filter(phone_index=row.phone_index)
            .order_by("-turn")
            .limit(max(most for _, most in PER_NUMBER))
            .values_list("turn", "sent_at")
        )
        waits = [
            _seconds(before[most - 1][1] + window - now)
            for window, most in PER_NUMBER
            if len(before) >= most and before[most - 1][1] > now - window
        ]
        if waits:
            CODES.labels("number_limit").inc()
            raise TooManyCodes(retry_after=max(waits))
        row.turn = before[0][0] + 1 if before else 1
        row.sent_at, row.expires_at = now, now + life
        try:
            await row.save(force_create=True)
        except IntegrityError:
            continue
        return
    raise TooManyCodes(retry_after=_seconds(PER_NUMBER[0][0]))


async def heed_ceilings(context: Context, row: OneTimeCode) -> None:
    """Take the row back if it is one too many for its address or the platform.

    It was committed before it counts, so of any number at once no more than the ceiling
    gets through; of those that reach it in the same moment perhaps none.
    """
    limits, now = context.settings.sms, row.sent_at
    everything = OneTimeCode.all()
    ceilings = [
        (everything, _HOUR, limits.codes_per_hour, "platform_limit"),
        (everything, _DAY, limits.codes_per_day, "platform_limit"),
    ]
    if row.address:
        mine = OneTimeCode.filter(address=row.address)
        ceilings += [
            (mine, _HOUR, limits.codes_per_address, "address_limit"),
            (mine, _DAY, limits.codes_per_address_day, "address_limit"),
        ]
    for rows, window, most, outcome in ceilings:
        oldest = await _first_beyond(rows.filter(sent_at__gt=now - window), most)
        if oldest is None:
            continue
        await row.delete()
        CODES.labels(outcome).inc()
        if outcome == "platform_limit":
            await conditions.report(*_CONDITION, f"{most} in {window}", clock=context.clock)
        raise TooManyCodes(retry_after=_seconds(oldest + window - now))


async def settle(context: Context) -> None:
    """Say so when the ceiling of the platform is no longer reached. Two or three statements."""
    now, limits = context.clock(), context.settings.sms
    for window, most in ((_HOUR, limits.codes_per_hour), (_DAY, limits.codes_per_day)):
        if await OneTimeCode.filter(sent_at__gt=now - window).count() >= most:
            return
    await conditions.clear(*_CONDITION, clock=context.clock)


async def _first_beyond(rows: QuerySet[OneTimeCode], most: int) -> datetime | None:
    """When the last of the rows was sent that must have gone before there is room again."""
    times = await rows.order_by("-sent_at").offset(most).limit(1).values_list("sent_at", flat=True)
    return times[0] if times else None  # type: ignore[return-value]


def _seconds(wait: timedelta) -> int:
    return max(1, math.ceil(wait.total_seconds()))
