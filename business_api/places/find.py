"""Finding one place for somebody: there, and theirs to do that with; else the same error."""

from collections.abc import Collection, Sequence
from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.places.errors import NoSuchBuilding, NoSuchHouse, NoSuchUnit, NoSuchZone
from business_api.places.models import Building, House, Unit, Zone


async def zone(actor: Actor, permission: Permission, zone_id: UUID) -> Zone:
    """One zone. One statement.

    Raises:
        NoSuchZone: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await Zone.get_or_none(id=zone_id)
    if found is None:
        raise NoSuchZone
    actor.require(permission, found.site, NoSuchZone)
    return found


async def building(actor: Actor, permission: Permission, building_id: UUID) -> Building:
    """One building, its zone loaded. One statement.

    Raises:
        NoSuchBuilding, NotAllowed: as in `zone`.
    """
    found = await Building.get_or_none(id=building_id).select_related("zone")
    if found is None:
        raise NoSuchBuilding
    actor.require(permission, found.site, NoSuchBuilding)
    return found


async def unit(actor: Actor, permission: Permission, unit_id: UUID) -> Unit:
    """One unit, its building loaded. One statement.

    Raises:
        NoSuchUnit, NotAllowed: as in `zone`.
    """
    found = await Unit.get_or_none(id=unit_id).select_related("building")
    if found is None:
        raise NoSuchUnit
    actor.require(permission, found.site, NoSuchUnit)
    return found


async def house(actor: Actor, permission: Permission, house_id: UUID) -> House:
    """One house, its building and unit loaded. One statement.

    Raises:
        NoSuchHouse, NotAllowed: as in `zone`.
    """
    found = await House.get_or_none(id=house_id).select_related("building", "unit")
    if found is None:
        raise NoSuchHouse
    actor.require(permission, found.site, NoSuchHouse)
    return found


async def buildings(
    actor: Actor, permission: Permission, ids: Collection[UUID]
) -> Sequence[Building]:
    """All of these buildings. One statement.

    Raises:
        NoSuchBuilding, NotAllowed: as in `zone`, for any of them.
    """
    found = await Building.filter(id__in=list(ids)).order_by("id")
    if len(found) != len(set(ids)):
        raise NoSuchBuilding
    for row in found:
        actor.require(permission, row.site, NoSuchBuilding)
    return found


async def units(actor: Actor, permission: Permission, ids: Collection[UUID]) -> Sequence[Unit]:
    """All of these units. One statement.

    Raises:
        NoSuchUnit, NotAllowed: as in `zone`, for any of them.
    """
    found = await Unit.filter(id__in=list(ids)).order_by("id")
    if len(found) != len(set(ids)):
        raise NoSuchUnit
    for row in found:
        actor.require(permission, row.site, NoSuchUnit)
    return found


async def houses(actor: Actor, permission: Permission, ids: Collection[UUID]) -> Sequence[House]:
    """All of these houses. One statement.

    Raises:
        NoSuchHouse, NotAllowed: as in `zone`, for any of them.
    """
    found = await House.filter(id__in=list(ids)).order_by("id")
    if len(found) != len(set(ids)):
        raise NoSuchHouse
    for row in found:
        actor.require(permission, row.site, NoSuchHouse)
    return found
