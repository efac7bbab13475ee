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


async def lock(house_id: UUID) -> None:
    """Be the only one who moves somebody in or out there, until the transaction ends."""
    await House.filter(id=house_id).select_for_update().first().values("id")


async def follow(context: Context, house: House) -> None:
    """Set the state that follows from who lives there now. Joins the caller's transaction."""
    live = with_standing(Standing.LIVE, context.clock())
    moves = FILLED if await Occupancy.filter(live, house_id=house.id).exists() else EMPTIED
    for before, after in moves.items():
        await House.filter(id=house.id, state=before).update(state=after, version=F("version") + 1)
