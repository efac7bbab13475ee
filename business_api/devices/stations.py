"""A community admin's own stations: which they are, and where they may hang."""

from collections.abc import Sequence
from uuid import UUID

from business_api.actors import Actor
from business_api.devices.schemas import StationOut
from business_api.places import buildings
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


async def own_station(context: Context, actor: Actor, device_id: UUID) -> Station:
    """A station of the actor's community. One statement.

    Raises:
        DeviceNotFound: there is none, or it is somebody else's: the same answer.
    """
    found = await queries.station(
        device_id, context.clock(), stale_after=context.settings.devices.stale_after
    )
    if found is None or found.community_id != actor.community_id:
        raise DeviceNotFound(f"device {device_id}")
    return found


async def own_place(actor: Actor, position: Position, place_id: UUID | None) -> UUID:
    """The place of a station, checked to belong to the actor's community.

    A gate belongs to the community itself; one given with another place is left to the
    registry to refuse.

    Raises:
        PlaceNeeded: no building or unit was named.
        NoSuchBuilding: not in this community.
        NoSuchUnit: not in this community.
    """
    if position is Position.GATE:
        return place_id or actor.community_id
    if place_id is None:
        raise PlaceNeeded(position.value)
    if position is Position.BUILDING:
        return (await buildings.building(actor.community_id, place_id)).id
    return (await buildings.unit(actor.community_id, place_id)).id


async def shown(actor: Actor, stations: Sequence[Station]) -> list[StationOut]:
    """Stations with the names of their places. Three statements for any number."""
    called = await place_names(actor, [station.place_id for station in stations])
    return [_shown(station, called.get(station.place_id, "")) for station in stations]


async def place_names(actor: Actor, place_ids: Sequence[UUID]) -> dict[UUID, str]:
    """What places of the actor's community are called."""
    return await buildings.names(actor.community_id, set(place_ids)) if place_ids else {}


def _shown(station: Station, place_name: str) -> StationOut:
    return StationOut(
        id=station.id,
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
