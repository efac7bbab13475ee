"""What becomes of a registered station: shut out, let in, rotated, replaced, given up."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from device_registry.devices import alarms, boxes, communication_codes, pending
from device_registry.devices.boxes import audited
from device_registry.devices.changes import (
    DeviceChanged,
    DeviceNotFound,
    WrongState,
    announce,
    changing,
)
from device_registry.devices.models import Device, DeviceSession, Status
from device_registry.devices.secrets import keys_of, new_secret
from device_registry.link import DeviceLink
from foundation.ids import Mac, new_id
from foundation.runner import Context
from foundation.wire import topics
from foundation.wire.hello import Rotate

log = structlog.get_logger()

ROTATIONS = Counter("secret_rotations_total", "New secrets for registered stations.")

_ACTIVE: Final = frozenset({Status.ACTIVE})
_SHUT_OUT: Final = frozenset({Status.SUSPENDED, Status.QUARANTINED})

_AT_ONCE: Final = 50
"""Stations whose secret one sweep renews; the next sweep takes the next ones."""


async def suspend(
    context: Context, actor: str, device_id: UUID, *, version: int | None = None
) -> None:
    """Shut a station out at once; it keeps its registration.

    Raises:
        DeviceNotFound: no such station.
        WrongState: it is not active.
        DeviceChanged: it has another version.
    """
    async with changing(device_id, among=_ACTIVE, version=version) as device:
        device.status = Status.SUSPENDED
        await audited(context, actor, "suspend", device, mac=device.mac)
    await announce(context, out=device.mac, reason="suspended")


async def resume(
    context: Context, actor: str, device_id: UUID, *, version: int | None = None
) -> None:
    """Let a suspended or quarantined station in again; what was reported of it is over.

    The twin of a cloned one comes back with it: its remedy is `replace`.

    Raises:
        DeviceNotFound: no such station.
        WrongState: it is neither.
        DeviceChanged: it has another version.
    """
    async with changing(device_id, among=_SHUT_OUT, version=version) as device:
        before = device.status
        device.status = Status.ACTIVE
        await alarms.settled(context, device.last_mac)
        if before is Status.QUARANTINED:  # boots are counted from what comes now
            await DeviceSession.filter(mac=device.last_mac).update(boot=0)
        await audited(context, actor, "resume", device, mac=device.mac, before=before.value)
    await announce(context)


async def unbind(
    context: Context, actor: str, device_id: UUID, *, version: int | None = None
) -> None:
    """Give a station up: shut out at once, secrets destroyed, told to wipe itself when it calls.

    Its 通讯码 is retired, or free when no box had learned it; its reader is free; its MAC
    can be registered again, anywhere.

    Raises:
        DeviceNotFound: no such station.
        WrongState: it is unbound already.
        DeviceChanged: it has another version.
    """
    async with changing(device_id, version=version) as device:
        mac, before = device.mac, device.status
        await boxes.let_go(context, device)
        await audited(context, actor, "unbind", device, mac=mac, before=before.value)
    log.info("device.unbound", device=mac, id=str(device_id))
    await announce(context, out=mac, reason="unbound")


async def replace(
    context: Context,
    actor: str,
    device_id: UUID,
    new_mac: str,
    user_code: str | None = None,
    *,
    version: int | None = None,
) -> UUID:
    """一键换机: another box takes over name, place, 通讯码, reader and rights.

    The old box is shut out at once and told to wipe itself when it calls. `new_mac` may be
    the old MAC: a box that lost its keys, or was repaired.

    Args:
        context: of the process.
        actor: `account/{id}`.
        device_id: in any state but unbound.
        new_mac: of the new box.
        user_code: the 校验码 it shows; None: it is awaited, and confirmed by number.
        version: the one the caller read.

    Returns:
        `device_id`, which stays.

    Raises:
        BadMac: `new_mac` is not that of a station.
        DeviceNotFound: no such station.
        WrongState: it is unbound.
        DeviceChanged: it has another version.
        MacTaken: another station has this MAC.
        NotSeen: no box with this MAC waits for its `user_code`.
        WrongUserCode: one does, and shows another code; this try is counted.
    """
    mac = topics.mac12(new_mac)
    claimed = await boxes.claim(context, mac, user_code, own=device_id)
    async with changing(device_id, version=version) as device:
        old = device.mac
        await _lay_down(device)
        boxes.assign(context, device, mac, claimed)
        device.box += 1
        await boxes.save(device)
        await communication_codes.rebind(device.comm_code, mac)
        await boxes.begin(mac, claimed)
        await alarms.settled(context, str(old))
        await audited(context, actor, "replace", device, before=old, mac=mac, box=device.box)
    log.info("device.replaced", device=mac, before=old, id=str(device_id))
    await announce(context, out=old, reason="replaced")
    return device_id


async def rotate(
    context: Context, actor: str, device_id: UUID, *, version: int | None = None
) -> None:
    """Give an active station a new secret; the old one works until that is used, or 24 h.

    Raises:
        DeviceNotFound: no such station.
        WrongState: it is not active.
        DeviceChanged: it has another version.
    """
    device = await _rotated(context, actor, device_id, version)
    await announce(context)
    await _nudge(context, device)


async def rotate_due(context: Context) -> int:
    """Rotate secrets older than `secret_life`, forget old ones whose overlap is over.

    At most `_AT_ONCE` a call; who was changed meanwhile is due again at the next.

    Returns:
        How many were rotated.
    """
    now = context.clock()
    expired = await Device.filter(old_until__lte=now).update(old_secret=None, old_until=None)
    before = now - context.settings.devices.secret_life
    due = Device.filter(status=Status.ACTIVE, secret_at__lte=before).order_by("secret_at")
    rotated: list[Device] = []
    for device_id, version in await due.limit(_AT_ONCE).values_list("id", "version"):
        try:
            rotated.append(await _rotated(context, "platform", device_id, version))
        except (DeviceNotFound, WrongState, DeviceChanged) as error:
            log.info("device.rotation.put_off", id=str(device_id), error=error.code)
    if rotated or expired:
        await announce(context)
    for device in rotated:
        await _nudge(context, device)
    return len(rotated)


async def nudge(context: Context, macs: Collection[Mac]) -> None:
    """Tell stations that logged in with an old secret to fetch the new one. One statement."""
    if not macs:
        return
    for device in await Device.filter(mac__in=list(macs), status=Status.ACTIVE):
        await _nudge(context, device)


async def dismiss(context: Context, actor: str, device_id: UUID) -> None:
    """An admin has looked into the alarms of a station: they are over until the next sign.

    Raises:
        DeviceNotFound: no such station.
        WrongState: it is unbound.
    """
    async with changing(device_id) as device:
        await alarms.settled(context, device.last_mac)
        await audited(context, actor, "dismiss_alarms", device, mac=device.mac)


async def sweep(context: Context) -> None:
    """What time does: unclaimed boxes, lapsed registrations and old secrets. Call it often."""
    await pending.sweep(context.clock())
    await boxes.lapse(context)
    await rotate_due(context)


async def _lay_down(device: Device) -> None:
    """Leave a row behind for the box that goes, so that it is told to wipe itself."""
    if device.secret is None:
        return
    await Device.create(
        id=new_id(),
        community_id=device.community_id,
        community_name=device.community_name,
        place_id=device.place_id,
        position=device.position,
        name=device.name,
        mac=None,
        last_mac=device.mac,
        box=device.box,
        status=Status.UNBOUND,
        model=device.model,
        fw=device.fw,
        public_keys=device.public_keys,
        comm_code=device.comm_code,
        secret_ver=device.secret_ver,
        created_by=device.created_by,
    )


async def _rotated(context: Context, actor: str, device_id: UUID, version: int | None) -> Device:
    overlap = context.settings.devices.secret_overlap
    async with changing(device_id, among=_ACTIVE, version=version) as device:
        new_secret(context.keyring, device, clock=context.clock, overlap=overlap)
        await audited(
            context, actor, "rotate", device, mac=device.mac, secret_ver=device.secret_ver
        )
    ROTATIONS.inc()
    return device


async def _nudge(context: Context, device: Device) -> None:
    """Signed with the old keys: those are what the station holds."""
    keys = keys_of(context.keyring, device, context.clock())
    held = keys.get(device.secret_ver - 1)
    if held is None:
        return
    try:
        link = context.need(DeviceLink)
    except LookupError:
        log.debug("device.rotation.left_to_login", device=device.mac)
        return
    mac = Mac(device.last_mac)
    payload = Rotate(secret_ver=device.secret_ver).sign(held.dn, mac)
    await link.send(mac, topics.down(mac, Rotate.ROUTE.name), payload, qos=1)
