"""Door stations, for the staff of the communities they hang in (门禁管理, 设备监控: F10, F36)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status
from starlette.responses import Response
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.devices import stations
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
from business_api.devices.stations import PlaceNeeded
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.organisations import find
from business_api.organisations.errors import NoSuchCommunity
from business_api.organisations.sites import reached
from business_api.paging import Page, PageQuery
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

router = APIRouter(tags=["stations"])

Viewer = Annotated[Actor, needs(Permission.STATION_VIEW)]
Manager = Annotated[Actor, needs(Permission.STATION_MANAGE)]


@router.get("/stations", operation_id="listStations")
async def list_stations(
    context: Ctx,
    actor: Viewer,
    paged: PageQuery,
    *,
    community_id: UUID | None = None,
    search: Annotated[Search, Query(description="part of a name, MAC or 通讯码")] = "",
    status: Status | None = None,
    presence: Presence | None = None,
    position: Position | None = None,
) -> Page[StationOut]:
    """Stations by name: the operator's, the company's or the community's (F10).

    Unbound ones only when asked for by status.
    """
    found, total = await queries.stations(
        await reached(actor, Permission.STATION_VIEW, community_id),
        context.clock(),
        search=search,
        status=status,
        presence=presence,
        position=position,
        page=paged.page,
        size=paged.size,
        stale_after=context.settings.devices.stale_after,
    )
    return paged.of(await stations.shown(found), total)


@router.post(
    "/communities/{community_id}/stations",
    operation_id="registerStation",
    status_code=status.HTTP_201_CREATED,
    response_model=StationOut,
    responses=documents(
        *(BadMac, BadName, BadPosition, PlaceNeeded, NoSuchBuilding, NoSuchUnit, MacTaken),
        *(NotSeen, WrongUserCode, CodeNotFree, ReaderNotFree, KeyReused, RequestInFlight),
        NoSuchCommunity,
    ),
)
async def register(
    community_id: UUID, body: StationIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Register a station in either order: the box shows itself first, or is awaited.

    A wrong 校验码 counts; after five the box shows a new one.
    """

    async def act() -> StationOut:
        community = await find.community(actor, Permission.STATION_MANAGE, community_id)
        place_id = await stations.place(actor, community.id, body.position, body.place_id)
        new = NewStation(
            community_id=community.id,
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
        made = await stations.station(context, actor, Permission.STATION_MANAGE, device_id)
        return (await stations.shown([made]))[0]

    return await once(act, whole=False)


@router.get("/stations/summary", operation_id="summariseStations")
async def summarise(context: Ctx, actor: Viewer, community_id: UUID | None = None) -> SummaryOut:
    """How many stations there are, by presence and by status."""
    counts = await overview.counts(
        await reached(actor, Permission.STATION_VIEW, community_id),
        context.clock(),
        stale_after=context.settings.devices.stale_after,
    )
    return SummaryOut(
        total=sum(counts.status.values()),
        presence=PresenceCounts.model_validate(counts.presence),
        status=StatusCounts.model_validate(counts.status),
    )


@router.get(
    "/stations/{station_id}", operation_id="getStation", responses=documents(DeviceNotFound)
)
async def get_station(
    station_id: UUID, context: Ctx, actor: Viewer, response: Response
) -> StationOut:
    """One station, with its version as ETag."""
    station = await stations.station(context, actor, Permission.STATION_VIEW, station_id)
    tag(response, station.version)
    return (await stations.shown([station]))[0]


@router.patch(
    "/stations/{station_id}",
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
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> StationOut:
    """Give a station another name, or hang it elsewhere; who may open it follows at once."""
    station = await stations.station(context, actor, Permission.STATION_MANAGE, station_id)
    async with in_transaction():
        if body.position is not None:
            place_id = await stations.place(
                actor, station.community_id, body.position, body.place_id
            )
            await registration.move(
                context, actor.audit, station_id, body.position, place_id, version=version
            )
            version += 1
        if body.name is not None:
            await registration.rename(context, actor.audit, station_id, body.name, version=version)
    return await get_station(station_id, context, actor, response)


@router.get(
    "/stations/{station_id}/timeline",
    operation_id="stationTimeline",
    responses=documents(DeviceNotFound, BadPeriod),
)
async def timeline(
    station_id: UUID,
    context: Ctx,
    actor: Viewer,
    period: PeriodQuery,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> list[SessionChangeOut]:
    """When the station came and went, the latest first; ask for earlier ones with `until`."""
    station = await stations.station(context, actor, Permission.STATION_VIEW, station_id)
    changes = await queries.timeline(station.mac, period.since, period.until, limit=limit)
    return [SessionChangeOut.model_validate(change) for change in changes]
