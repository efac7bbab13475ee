"""Stations for somebody: found with the right to do that, and where they may hang."""

from collections.abc import Sequence
from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.devices.schemas import StationOut
from business_api.organisations.sites import site_of
from business_api.places import find, names
from business_api.places.errors import NoSuchBuilding, NoSuchUnit
from device_registry.devices import queries
from device_registry.devices.changes import DeviceNotFound
from device_registry.devices.queries import Station
from device_registry.devices.states import Position
from foundation.errors import DomainError, Kind
from foundation.runner import Context


class PlaceNeeded(DomainError):
    """A station at a building or unit needs to know which."""

    kind, code, title = Kind.INVALID, "place-needed", "Which building or unit?"
    title_zh = "请选择楼栋或单元"


async def station(
    context: Context, actor: Actor, permission: Permission, station_id: UUID
) -> Station:
    """One station. One statement; one more for a community not seen before.

    Raises:
        DeviceNotFound: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await queries.station(
        station_id, context.clock(), stale_after=context.settings.devices.stale_after
    )
    site = await site_of(found.community_id) if found else None
    if found is None or site is None:
        raise DeviceNotFound
    actor.require(permission, site, DeviceNotFound)
    return found


async def place(
    actor: Actor, community_id: UUID, position: Position, place_id: UUID | None
) -> UUID:
    """The place of a station of this community, which the actor names.

    A gate belongs to the community itself; one given with another place is left to the
    registry to refuse.

    Raises:
        PlaceNeeded: no building or unit was named.
        NoSuchBuilding: not in this community, or none the actor may know of.
        NoSuchUnit: the same.
    """
    if position is Position.GATE:
        return place_id or community_id
    if place_id is None:
        raise PlaceNeeded(position.value)
    if position is Position.BUILDING:
        building = await find.building(actor, Permission.PLACE_VIEW, place_id)
        if building.community_id != community_id:
            raise NoSuchBuilding
        return building.id
    unit = await find.unit(actor, Permission.PLACE_VIEW, place_id)
    if unit.community_id != community_id:
        raise NoSuchUnit
    return unit.id


async def shown(stations: Sequence[Station]) -> list[StationOut]:
    """Stations with the names of their places. Three statements for any number."""
    called = await names.of_places({station.place_id for station in stations})
    return [_shown(station, called.get(station.place_id, "")) for station in stations]


def _shown(station: Station, place_name: str) -> StationOut:
    return StationOut(
        id=station.id,
        community_id=station.community_id,
        name=station.name,
        position=station.position,
        place_id=station.place_id,
        place_name=place_name,
        mac=station.mac,
        status=station.status,
        model=station.model,
        fw=station.fw,
        comm_code=station.comm_code,
        reader_number=station.reader_number,
        presence=station.presence,
        since=station.since,
        reason=station.reason,
        last_heard=station.last_heard,
        address=station.address,
        created_at=station.created_at,
        expires_at=station.expires_at,
        version=station.version,
    )
