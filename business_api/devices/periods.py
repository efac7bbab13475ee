"""Which stretch of time: every question about events has one, and it has an end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import AwareDatetime

from business_api.deps import Ctx
from device_registry.journal.queries import BadPeriod

USUAL: Final = timedelta(days=7)
LONGEST: Final = timedelta(days=92)

_FIRST_YEAR, _LAST_YEAR = 2000, 2200
"""Outside of them times overflow when they are turned to another zone."""


@dataclass(frozen=True, slots=True)
class Period:
    """`since` included, `until` not."""

    since: datetime
    until: datetime


async def _period(
    context: Ctx,
    since: Annotated[
        AwareDatetime | None, Query(description="with offset; without: 7 days before `until`")
    ] = None,
    until: Annotated[
        AwareDatetime | None, Query(description="with offset, not included; without: now")
    ] = None,
) -> Period:
    try:
        end = until or context.clock() + timedelta(seconds=1)  # what happens now is included
        begin = since or end - USUAL
        sane = begin.year >= _FIRST_YEAR and end.year <= _LAST_YEAR
        if not sane or not timedelta() < end - begin <= LONGEST:
            raise BadPeriod(f"at most {LONGEST.days} days", most_days=LONGEST.days)
    except OverflowError:
        raise BadPeriod(f"at most {LONGEST.days} days", most_days=LONGEST.days) from None
    return Period(begin, end)


PeriodQuery = Annotated[Period, Depends(_period)]
"""The last 7 days, or what the caller asks for: 92 days at most."""
