"""Questions of other slices about who lives where."""

from datetime import datetime
from uuid import UUID

from business_api.people.models import Person
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import Standing, with_standing


async def homes_since(account_id: UUID, now: datetime) -> dict[UUID, datetime]:
    """The houses an account lives in now, and since when it may look back. One statement.

    Since the beginning of its own occupancy, and never from before that was written down:
    staff who date a move-in back do not open the records of earlier residents.
    """
    rows = await Occupancy.filter(
        with_standing(Standing.LIVE, now), person__account_id=account_id
    ).values_list("house_id", "valid_from", "created_at")
    return {house: max(begun, written) for house, begun, written in rows}


async def verified_owners(house_id: UUID, now: datetime) -> list[tuple[Occupancy, Person]]:
    """The owners who live (or own) there now, in the order they are called. One statement.

    An owner comes in by staff, or by a certification that was reviewed: each is verified.
    Whether one has a phone: `people.persons.phone_of`.
    """
    found = (
        await Occupancy.filter(
            with_standing(Standing.LIVE, now), house_id=house_id, type=ResidentType.OWNER
        )
        .select_related("person")
        .order_by("call_order", "created_at", "id")
    )
    return [(one, one.person) for one in found]
