"""What hangs on places, so that they must stay as they are.

People and applications are rows of slices above this one: their relations to a house are
asked by name. The database has the last word: nothing is deleted under what refers to it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from business_api.places.models import Building, House, Unit
from device_registry.devices.places import stations_at

Hanging = Mapping[UUID, list[str]]
"""By place: what hangs there, as `PlaceInUse.by` says it."""


async def on_zones(ids: Collection[UUID]) -> Hanging:
    """`buildings`. One statement."""
    return _told({"buildings": await _distinct(Building.filter(zone_id__in=list(ids)), "zone_id")})


async def on_buildings(ids: Collection[UUID]) -> Hanging:
    """`units`, `houses`, `stations`. Three statements."""
    wanted = list(ids)
    return _told(
        {
            "units": await _distinct(Unit.filter(building_id__in=wanted), "building_id"),
            "houses": await _distinct(House.filter(building_id__in=wanted), "building_id"),
            "stations": await stations_at(wanted),
        }
    )


async def on_units(ids: Collection[UUID]) -> Hanging:
    """`houses`, `stations`. Two statements."""
    wanted = list(ids)
    return _told(
        {
            "houses": await _distinct(House.filter(unit_id__in=wanted), "unit_id"),
            "stations": await stations_at(wanted),
        }
    )


async def on_houses(ids: Collection[UUID]) -> Hanging:
    """`residents` (who live or lived there), `certifications`. Two statements."""
    which = House.filter(id__in=list(ids))
    return _told(
        {
            "residents": await _distinct(which.filter(occupancies__not_isnull=True), "id"),
            "certifications": await _distinct(which.filter(certifications__not_isnull=True), "id"),
        }
    )


async def _distinct(which: Any, column: str) -> set[UUID]:
    return set(await which.distinct().values_list(column, flat=True))


def _told(places: Mapping[str, Collection[UUID]]) -> Hanging:
    hanging: defaultdict[UUID, list[str]] = defaultdict(list)
    for what, ids in places.items():
        for id_ in ids:
            hanging[id_].append(what)
    return hanging
