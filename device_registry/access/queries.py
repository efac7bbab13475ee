"""What rights to open from afar are written down: for whoever compares them with the facts."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from device_registry.access.models import RemoteGrant, RemoteSuspension


class HeldRemote(NamedTuple):
    """One person may open the stations at one place in the name of one house."""

    person_id: UUID
    house_id: UUID
    place_id: UUID
    valid_from: datetime | None
    valid_to: datetime | None


async def remote_of_houses(house_ids: Collection[UUID]) -> list[HeldRemote]:
    """All rights in the names of these houses. One statement."""
    rows = await RemoteGrant.filter(house_id__in=list(house_ids)).values_list(
        "person_id", "house_id", "place_id", "valid_from", "valid_to"
    )
    return [HeldRemote(*row) for row in rows]


async def houses_with_remote(after: UUID | None, limit: int) -> list[UUID]:
    """Houses in whose names there are rights, by id, those behind `after`. One statement."""
    which = RemoteGrant.filter(house_id__isnull=False)
    if after is not None:
        which = which.filter(house_id__gt=after)
    found = await which.order_by("house_id").distinct().limit(limit).values_list("house_id")
    return [house_id for (house_id,) in found]


async def suspended_among(person_ids: Collection[UUID]) -> set[UUID]:
    """Those of these persons who open nothing now, whatever rights they have. One statement."""
    which = RemoteSuspension.filter(person_id__in=list(person_ids))
    return {person_id for (person_id,) in await which.values_list("person_id")}
