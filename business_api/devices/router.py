"""Door stations, for the admins of the community they hang in (门禁管理, 设备监控)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status
from starlette.responses import Response
from tortoise.transactions import in_transaction

from business_api.deps import AdminActor, Ctx
from business_api.devices.periods import PeriodQuery
from business_api.devices.schemas import (
    PresenceCounts,
    SessionChangeOut,
    StationChangeIn,
    StationIn,
    StationOut,
    StatusCounts,
    SummaryOut,
)
from business_api.devices.stations import PlaceNeeded, own_place, own_station, shown
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.places import buildings
from business_api.places.errors import NoSuchBuilding, NoSuchUnit
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag
from device_registry.devices import overview, queries, registration
from device_registry.devices.bluetooth import ReaderNotFree
from device_registry.devices.boxes import MacTaken
from device_registry.devices.changes import DeviceChanged, DeviceNotFound, WrongState
from device_registry.devices.communication_codes import CodeNotFree
from device_registry.devices.pending import NotSeen, WrongUserCode
from device_registry.devices.queries import Presence
from device_registry.devices.registration import BadName, BadPosition, NewStation
from device_registry.devices.states import Position, Status
from device_registry.journal.queries import BadPeriod
from foundation.wire.topics import BadMac

router = APIRouter(prefix="/stations", tags=["stations"])


@router.get("", operation_id="listStations")
async def list_stations(
    context: Ctx,
    actor: AdminActor,
    paged: PageQuery,
    *,
    search: Annotated[Search, Query(description="part of a name, MAC or 通讯码")] = "",
    status: Status | None = None,
    presence: Presence | None = None,
    position: Position | None = None,
) -> Page[StationOut]:
    """Stations by name; unbound ones only when asked for by status."""
    found, total = await queries.stations(
        actor.community_id,
        context.clock(),
        search=search,
        status=status,
        presence=presence,
        position=position,
        page=paged.page,
        size=paged.size,
        stale_after=context.settings.devices.stale_after,
    )
    return paged.of(await shown(actor, found), total)


@router.post(
    "",
    operation_id="registerStation",
    status_code=status.HTTP_201_CREATED,
    response_model=StationOut,
    responses=documents(
        *(BadMac, BadName, BadPosition, PlaceNeeded, NoSuchBuilding, NoSuchUnit, MacTaken),
        *(NotSeen, WrongUserCode, CodeNotFree, ReaderNotFree, KeyReused, RequestInFlight),
    ),
)
async def register(body: StationIn, context: Ctx, actor: AdminActor, once: OnceOnly) -> Response:
    """Register a station in either order: the box shows itself first, or is awaited.

    A wrong 校验码 counts; after five the box shows a new one.
    """

    async def act() -> StationOut:
        place_id = await own_place(actor, body.position, body.place_id)
        community = await buildings.community(actor.community_id)
        new = NewStation(
            community_id=actor.community_id,
            community_name=community.name,
            name=body.name,
            position=body.position,
            place_id=place_id,
            mac=body.mac,
            comm_code=body.comm_code,
            reader_number=body.reader_number,
            user_code=body.user_code,
        )
        device_id = await registration.register(context, actor.audit, new)
        return (await shown(actor, [await own_station(context, actor, device_id)]))[0]

    return await once(act, whole=False)


@router.get("/summary", operation_id="summariseStations")
async def summarise(context: Ctx, actor: AdminActor) -> SummaryOut:
    """How many stations there are, by presence and by status."""
    counts = await overview.counts(
        actor.community_id,
        context.clock(),
        stale_after=context.settings.devices.stale_after,
    )
    return SummaryOut(
        total=sum(counts.status.values()),
        presence=PresenceCounts.model_validate(counts.presence),
        status=StatusCounts.model_validate(counts.status),
    )


@router.get("/{station_id}", operation_id="getStation", responses=documents(DeviceNotFound))
async def get_station(
    station_id: UUID, context: Ctx, actor: AdminActor, response: Response
) -> StationOut:
    """One station, with its version as ETag."""
    station = await own_station(context, actor, station_id)
    tag(response, station.version)
    return (await shown(actor, [station]))[0]


@router.patch(
    "/{station_id}",
    operation_id="changeStation",
    responses=documents(
        *(DeviceNotFound, DeviceChanged, Stale, IfMatchRequired, WrongState),
        *(BadName, BadPosition, PlaceNeeded, NoSuchBuilding, NoSuchUnit),
    ),
)
async def change_station(
    station_id: UUID,
    body: StationChangeIn,
    context: Ctx,
    actor: AdminActor,
    *,
    version: IfMatch,
    response: Response,
) -> StationOut:
    """Give a station another name, or hang it elsewhere; who may open it follows at once."""
    await own_station(context, actor, station_id)
    async with in_transaction():
        if body.position is not None:
            place_id = await own_place(actor, body.position, body.place_id)
            await registration.move(
                context, actor.audit, station_id, body.position, place_id, version=version
            )
            version += 1
        if body.name is not None:
            await registration.rename(context, actor.audit, station_id, body.name, version=version)
    return await get_station(station_id, context, actor, response)


@router.get(
    "/{station_id}/timeline",
    operation_id="stationTimeline",
    responses=documents(DeviceNotFound, BadPeriod),
)
async def timeline(
    station_id: UUID,
    context: Ctx,
    actor: AdminActor,
    period: PeriodQuery,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> list[SessionChangeOut]:
    """When the station came and went, the latest first; ask for earlier ones with `until`."""
    station = await own_station(context, actor, station_id)
    changes = await queries.timeline(station.mac, period.since, period.until, limit=limit)
    return [SessionChangeOut.model_validate(change) for change in changes]
