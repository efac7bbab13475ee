"""What is wrong with the stations, and that somebody has looked into it."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Request, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.devices import stations
from business_api.devices.schemas import AlarmOut
from business_api.language import Language, language_of
from business_api.organisations.sites import reached
from business_api.paging import Page, PageQuery
from business_api.problems import documents
from device_registry.devices import alarms, lifecycle
from device_registry.devices.alarms import Alarm
from device_registry.devices.changes import DeviceNotFound, WrongState

router = APIRouter(tags=["stations"])

_MESSAGES: Final = {
    alarms.CLONED: {
        "zh": "疑似有两台设备使用同一密钥，已隔离：请到现场核对，再恢复或换机",
        "en": "Two boxes seem to use its keys. Shut out: check on site, then resume or replace",
    },
    alarms.MAC_CONFLICT: {
        "zh": "另一台设备以相同 MAC 申请注册：请核对是否换机或有人冒充",
        "en": "Another box asks to register with its MAC: a replacement, or an impostor?",
    },
}


@router.get("/alarms", operation_id="listAlarms")
async def list_alarms(
    request: Request,
    actor: Annotated[Actor, needs(Permission.STATION_VIEW)],
    paged: PageQuery,
    community_id: UUID | None = None,
) -> Page[AlarmOut]:
    """What is wrong with the stations now, the latest first."""
    found = await alarms.current(await reached(actor, Permission.STATION_VIEW, community_id))
    language = language_of(request)
    page = [_shown(alarm, language) for alarm in found[paged.offset :][: paged.size]]
    return paged.of(page, len(found))


@router.post(
    "/stations/{station_id}/dismiss-alarms",
    operation_id="dismissAlarms",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(DeviceNotFound, WrongState),
)
async def dismiss(
    station_id: UUID, context: Ctx, actor: Annotated[Actor, needs(Permission.STATION_MANAGE)]
) -> None:
    """Somebody has looked into it: the station's alarms are over until the next sign.

    A quarantined station stays shut out; `resume` lets it in again.
    """
    await stations.station(context, actor, Permission.STATION_MANAGE, station_id)
    await lifecycle.dismiss(context, actor.audit, station_id)


def _shown(alarm: Alarm, language: Language) -> AlarmOut:
    return AlarmOut(
        kind=alarm.kind,
        community_id=alarm.community_id,
        station_id=alarm.device_id,
        station_name=alarm.device_name,
        mac=alarm.mac,
        detail=alarm.detail,
        message=_MESSAGES[alarm.kind][language],
        since=alarm.since,
    )
