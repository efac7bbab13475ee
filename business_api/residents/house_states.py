"""空置 and 入住 follow from who lives there; what somebody set by hand stays.

A house that was vacant is occupied when somebody has moved in. One that was occupied, or
let, is vacant when the last one has gone. Renovating and for sale say something else about
it, and stay until somebody changes them.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from tortoise.expressions import F

from business_api.places.models import House, HouseState
from business_api.residents.models import Occupancy
from business_api.residents.times import Standing, with_standing
from foundation.runner import Context

FILLED: Final[Mapping[HouseState, HouseState]] = {HouseState.VACANT: HouseState.OCCUPIED}
EMPTIED: Final[Mapping[HouseState, HouseState]] = {
    HouseState.OCCUPIED: HouseState.VACANT,
    HouseState.LET: HouseState.VACANT,
}


async def lock(*house_ids: UUID) -> None:
    """Be the only one who moves somebody in or out there, until the transaction ends."""
    # Whole rows: Tortoise forgets the lock when only some columns are asked for.
    await House.filter(id__in=house_ids).order_by("id").select_for_update(no_key=True)


async def follow(context: Context, *house_ids: UUID) -> None:
    """Set the states that follow from who lives there now. Joins the caller's transaction.

    Four statements, however many houses.
    """
    live = with_standing(Standing.LIVE, context.clock())
    rows = await Occupancy.filter(live, house_id__in=house_ids).distinct().values_list("house_id")
    lived_in = {house_id for (house_id,) in rows}
    for moves, houses in ((FILLED, lived_in), (EMPTIED, set(house_ids) - lived_in)):
        for before, after in moves.items():
            await House.filter(id__in=houses, state=before).update(
                state=after, version=F("version") + 1
            )
