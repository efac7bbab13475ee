"""What is done to a registered station; each act is audited and answers with the station."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.devices import stations
from business_api.devices.schemas import ComparisonOut, ConfirmIn, ReplaceIn, StationOut
from business_api.problems import documents
from device_registry.devices import lifecycle, registration
from device_registry.devices.boxes import MacTaken
from device_registry.devices.changes import DeviceNotFound, WrongState
from device_registry.devices.pending import NotSeen, WrongUserCode
from device_registry.devices.registration import NumberDiffers, RegistrationLapsed
from foundation.runner import Context
from foundation.wire.topics import BadMac

router = APIRouter(prefix="/stations/{station_id}", tags=["stations"])

_MANAGE: Final = Permission.STATION_MANAGE
Manager = Annotated[Actor, needs(_MANAGE)]
_USUAL: Final = documents(DeviceNotFound, WrongState)


@router.get("/comparison", operation_id="stationComparison", responses=documents(DeviceNotFound))
async def comparison(station_id: UUID, context: Ctx, actor: Manager) -> ComparisonOut:
    """The six digits to compare with the screen of a box that was registered before it came."""
    await stations.station(context, actor, _MANAGE, station_id)
    return ComparisonOut(number=await registration.comparison(context, station_id))


@router.post(
    "/confirm",
    operation_id="confirmStation",
    responses=documents(DeviceNotFound, WrongState, RegistrationLapsed, NumberDiffers),
)
async def confirm(
    station_id: UUID, context: Ctx, actor: Manager, body: ConfirmIn | None = None
) -> StationOut:
    """一致: the screen shows the same six digits, so this box is the station.

    Send the digits that were compared: should another box have taken its place meanwhile,
    it is not confirmed.
    """
    await stations.station(context, actor, _MANAGE, station_id)
    number = body.number if body else None
    await registration.confirm(context, actor.audit, station_id, number=number)
    return await _now(context, actor, station_id)


@router.post("/suspend", operation_id="suspendStation", responses=_USUAL)
async def suspend(station_id: UUID, context: Ctx, actor: Manager) -> StationOut:
    """Shut the station out at once; it stays registered."""
    await stations.station(context, actor, _MANAGE, station_id)
    await lifecycle.suspend(context, actor.audit, station_id)
    return await _now(context, actor, station_id)


@router.post("/resume", operation_id="resumeStation", responses=_USUAL)
async def resume(station_id: UUID, context: Ctx, actor: Manager) -> StationOut:
    """Let a suspended or quarantined station in again."""
    await stations.station(context, actor, _MANAGE, station_id)
    await lifecycle.resume(context, actor.audit, station_id)
    return await _now(context, actor, station_id)


@router.post("/unbind", operation_id="unbindStation", responses=_USUAL)
async def unbind(station_id: UUID, context: Ctx, actor: Manager) -> StationOut:
    """Give the station up: shut out at once, told to wipe itself when it calls.

    Its MAC can be registered again; its 通讯码 is retired, its reader free.
    """
    await stations.station(context, actor, _MANAGE, station_id)
    await lifecycle.unbind(context, actor.audit, station_id)
    return await _now(context, actor, station_id)


@router.post("/rotate-secret", operation_id="rotateStationSecret", responses=_USUAL)
async def rotate_secret(station_id: UUID, context: Ctx, actor: Manager) -> StationOut:
    """Give the station a new secret; the old one works until that is used, or 24 h."""
    await stations.station(context, actor, _MANAGE, station_id)
    await lifecycle.rotate(context, actor.audit, station_id)
    return await _now(context, actor, station_id)


@router.post(
    "/replace",
    operation_id="replaceStation",
    responses=documents(DeviceNotFound, WrongState, BadMac, MacTaken, NotSeen, WrongUserCode),
)
async def replace(station_id: UUID, body: ReplaceIn, context: Ctx, actor: Manager) -> StationOut:
    """一键换机: another box takes over name, place, 通讯码, reader and rights."""
    await stations.station(context, actor, _MANAGE, station_id)
    await lifecycle.replace(context, actor.audit, station_id, body.mac, body.user_code)
    return await _now(context, actor, station_id)


async def _now(context: Context, actor: Actor, station_id: UUID) -> StationOut:
    found = await stations.station(context, actor, _MANAGE, station_id)
    return (await stations.shown([found]))[0]
