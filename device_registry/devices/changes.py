"""How a station's row changes: locked, in an allowed state, one version on; then told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from tortoise.transactions import in_transaction

from device_registry.devices.models import Device, Status
from device_registry.link import DeviceLink
from foundation.errors import DomainError, Kind
from foundation.ids import Mac
from foundation.runner import Context

log = structlog.get_logger()


class DeviceNotFound(DomainError):
    """There is no such station, or it is not the caller's."""

    kind, code, title = Kind.NOT_FOUND, "device-not-found", "No such door station"
    title_zh = "找不到该门口机"


class WrongState(DomainError):
    """The station is not in a state in which this can be done."""

    kind, code, title = Kind.CONFLICT, "wrong-device-state", "Not in this state"
    title_zh = "设备当前状态不允许此操作"


class DeviceChanged(DomainError):
    """Somebody changed the station after the caller had read it."""

    kind, code, title = Kind.STALE, "device-changed", "The station has changed"
    title_zh = "设备信息已被他人修改，请刷新后重试"


REGISTERED = frozenset(Status) - {Status.UNBOUND}
"""Every state of a station that is still ours."""


@asynccontextmanager
async def changing(
    device_id: UUID, *, among: frozenset[Status] = REGISTERED, version: int | None = None
) -> AsyncIterator[Device]:
    """One transaction around the locked row; saved, one version on, when the block ends.

    Args:
        device_id: whose row.
        among: the states in which the change is allowed.
        version: the one the caller read, for optimistic locking; None: any.

    Raises:
        DeviceNotFound: no such row.
        WrongState: it is in another state; fact `status`.
        DeviceChanged: it has another version; fact `version`.
    """
    async with in_transaction():
        device = await Device.filter(id=device_id).select_for_update().first()
        if device is None:
            raise DeviceNotFound(f"device {device_id}")
        if version is not None and version != device.version:
            raise DeviceChanged(f"device {device_id}", version=device.version)
        if device.status not in among:
            raise WrongState(f"device {device_id}", status=device.status.value)
        yield device
        device.version += 1
        await device.save()


async def announce(context: Context, *, out: str | None = None, reason: str = "") -> None:
    """After COMMIT: who may log in has changed, and the session of `out` ends at once.

    A process without a broker can only wake: the broker ends the session when it looks.
    """
    context.wake.kick("logins")
    if out is None:
        return
    try:
        link = context.need(DeviceLink)
    except LookupError:
        log.debug("device.kick.left_to_broker", device=out, reason=reason)
        return
    await link.kick(Mac(out), reason)
