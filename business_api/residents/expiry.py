"""What begins and ends by itself: written down within the hour.

Rights do not wait for it: they carry their times, and so does every decision. What waits is
the house's state, and what other slices hang on an occupancy that has run out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.places.models import HouseState
from business_api.residents import doors, house_states
from business_api.residents.endings import ENDINGS
from business_api.residents.models import Occupancy
from business_api.residents.moves import MOVES
from business_api.residents.times import Standing, with_standing
from foundation import audit
from foundation.runner import Context

REASON: Final = "expired"
_AT_ONCE: Final = 100


async def expire(context: Context) -> int:
    """End occupancies whose time has run out; how many. A fixed number of statements a chunk."""
    ended, now = 0, context.clock()
    while chunk := await _over(now).order_by("valid_to").limit(_AT_ONCE).select_related("person"):
        ended += await _end(context, chunk, now)
    MOVES.labels("expired").inc(ended)
    return ended


async def begin(context: Context) -> int:
    """Houses that somebody lives in since a moment ago are occupied; how many were not."""
    live = with_standing(Standing.LIVE, context.clock())
    begun = 0
    while houses := (
        await Occupancy.filter(live, house__state=HouseState.VACANT)
        .distinct()
        .limit(_AT_ONCE)
        .values_list("house_id")
    ):
        ids = [house_id for (house_id,) in houses]
        async with in_transaction():
            await house_states.lock(*ids)
            await house_states.follow(context, *ids)
        begun += len(ids)
    return begun


def _over(now: datetime) -> QuerySet[Occupancy]:
    return Occupancy.filter(ended_at=None, valid_to__lte=now)


async def _end(context: Context, chunk: Sequence[Occupancy], now: datetime) -> int:
    ids = [home.id for home in chunk]
    async with in_transaction():
        await doors.lock(*(home.person.account_id for home in chunk))
        await Occupancy.filter(id__in=ids).order_by("id").select_for_update()
        homes = await _over(now).filter(id__in=ids).select_related("person", "house")
        for home in homes:
            home.ended_at, home.end_reason, home.slot = home.valid_to, REASON, None
            home.version += 1
        if homes:
            await Occupancy.bulk_update(homes, ["ended_at", "end_reason", "slot", "version"])
        houses = {home.house.id for home in homes}
        await house_states.lock(*houses)
        await house_states.follow(context, *houses)
        await ENDINGS.happen(context, auditing.PLATFORM, homes)
        await audit.append_all([_line(home) for home in homes], clock=context.clock)
    return len(homes)


def _line(home: Occupancy) -> audit.Line:
    facts = {"house": str(home.house.id), "person": str(home.person.id), "reason": REASON}
    return audit.Line(
        auditing.PLATFORM,
        "resident.end",
        f"occupancy/{home.id}",
        home.community_id,
        facts,
        home.operator_id,
        home.company_id,
    )
