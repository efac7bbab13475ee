"""Which places have stations: asked before a place is deleted."""

from collections.abc import Collection
from uuid import UUID

from device_registry.devices.models import Device
from device_registry.devices.states import Status


async def stations_at(place_ids: Collection[UUID]) -> set[UUID]:
    """Those of `place_ids` at which a station hangs. One statement."""
    if not place_ids:
        return set()
    there = Device.filter(place_id__in=list(place_ids)).exclude(status=Status.UNBOUND)
    return set(await there.distinct().values_list("place_id", flat=True))  # type: ignore[arg-type]
