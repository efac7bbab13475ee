"""Finding one place for somebody: there, and theirs to do that with; else the same error."""

from collections.abc import Collection, Sequence
from typing import TypeVar
from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.places.errors import NoSuchBuilding, NoSuchHouse, NoSuchUnit, NoSuchZone
from business_api.places.models import Building, House, Unit, Zone
from foundation.errors import DomainError

Place = TypeVar("Place", Building, Unit, House)


async def zone(actor: Actor, permission: Permission, zone_id: UUID) -> Zone:
    """One zone. One statement.

    Raises:
        NoSuchZone: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await Zone.get_or_none(id=zone_id)
    return actor.found(permission, found, NoSuchZone)


async def building(actor: Actor, permission: Permission, building_id: UUID) -> Building:
    """One building, its zone loaded. One statement.

    Raises:
        NoSuchBuilding, NotAllowed: as in `zone`.
    """
    found = await Building.get_or_none(id=building_id).select_related("zone")
    return actor.found(permission, found, NoSuchBuilding)


async def unit(actor: Actor, permission: Permission, unit_id: UUID) -> Unit:
    """One unit, its building loaded. One statement.

    Raises:
        NoSuchUnit, NotAllowed: as in `zone`.
    """
    found = await Unit.get_or_none(id=unit_id).select_related("building")
    return actor.found(permission, found, NoSuchUnit)


async def house(actor: Actor, permission: Permission, house_id: UUID) -> House:
    """One house, its building and unit loaded. One statement.

    Raises:
        NoSuchHouse, NotAllowed: as in `zone`.
    """
    found = await House.get_or_none(id=house_id).select_related("building", "unit")
    return actor.found(permission, found, NoSuchHouse)


async def buildings(
    actor: Actor, permission: Permission, ids: Collection[UUID]
) -> Sequence[Building]:
    """All of these buildings. One statement.

    Raises:
        NoSuchBuilding, NotAllowed: as in `zone`, for any of them.
    """
    return await _all(actor, permission, Building, ids, NoSuchBuilding)


async def units(actor: Actor, permission: Permission, ids: Collection[UUID]) -> Sequence[Unit]:
    """All of these units. One statement.

    Raises:
        NoSuchUnit, NotAllowed: as in `zone`, for any of them.
    """
    return await _all(actor, permission, Unit, ids, NoSuchUnit)


async def houses(actor: Actor, permission: Permission, ids: Collection[UUID]) -> Sequence[House]:
    """All of these houses. One statement.

    Raises:
        NoSuchHouse, NotAllowed: as in `zone`, for any of them.
    """
    return await _all(actor, permission, House, ids, NoSuchHouse)


async def _all(
    actor: Actor,
    permission: Permission,
    model: type[Place],
    ids: Collection[UUID],
    missing: type[DomainError],
) -> Sequence[Place]:
    found = await model.filter(id__in=list(ids)).order_by("id")
    if len(found) != len(set(ids)):
        raise missing
    return [actor.found(permission, row, missing) for row in found]
