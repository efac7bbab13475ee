"""From when until when somebody lives somewhere."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from tortoise.expressions import Q

from business_api.residents.errors import BadValidity
from business_api.residents.models import Occupancy

_FIRST_YEAR: Final = 1950
_LAST_YEAR: Final = 2200
AHEAD: Final = timedelta(days=366)
"""A move-in is known a year before, at most."""


class Standing(StrEnum):
    """Where an occupancy is in time: derived, never stored."""

    FUTURE = "future"
    LIVE = "live"
    ENDED = "ended"


def standing(occupancy: Occupancy, now: datetime) -> Standing:
    """Whether it has begun, and is over. Half-open: at `valid_to` it is over."""
    over = occupancy.valid_to is not None and occupancy.valid_to <= now
    if over or occupancy.ended_at is not None:
        return Standing.ENDED
    return Standing.FUTURE if now < occupancy.valid_from else Standing.LIVE


def with_standing(wanted: Standing, now: datetime) -> Q:
    """The filter of occupancies for the same."""
    not_over = unended(now)
    match wanted:
        case Standing.FUTURE:
            return not_over & Q(valid_from__gt=now)
        case Standing.LIVE:
            return not_over & Q(valid_from__lte=now)
        case Standing.ENDED:
            return Q(ended_at__isnull=False) | Q(valid_to__lte=now)


def unended(now: datetime) -> Q:
    """Occupancies that are not over: live, or to come."""
    return Q(ended_at__isnull=True) & (Q(valid_to__isnull=True) | Q(valid_to__gt=now))


def checked(
    valid_from: datetime | None, valid_to: datetime | None, now: datetime
) -> tuple[datetime, datetime | None]:
    """Times of a new or changed occupancy, in UTC.

    Raises:
        BadValidity: over already, ending before it begins, or too far away.
    """
    begin = _sane(valid_from or now)
    if begin > now + AHEAD:
        raise BadValidity("it begins too late")
    if valid_to is None:
        return begin, None
    end = _sane(valid_to)
    if end <= begin or end <= now:
        raise BadValidity("it must end after it begins, and after now")
    return begin, end


def _sane(time: datetime) -> datetime:
    """In UTC: at the ends of the calendar that overflows."""
    try:
        if time.tzinfo is not None and _FIRST_YEAR <= time.year <= _LAST_YEAR:
            return time.astimezone(UTC)
    except OverflowError:
        pass
    raise BadValidity(f"between the years {_FIRST_YEAR} and {_LAST_YEAR}, with an offset")
