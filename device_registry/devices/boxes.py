"""Which box is a station: put there, awaited, or taken away. Used inside other changes."""

from typing import Any, Final
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from device_registry.devices import alarms, bluetooth, communication_codes, pending, secrets
from device_registry.devices.changes import DeviceNotFound, WrongState, changing
from device_registry.devices.models import Device, DeviceSession, Status
from device_registry.devices.pending import Claim
from foundation import audit
from foundation.errors import DomainError, Kind
from foundation.ids import Mac
from foundation.runner import Context

log = structlog.get_logger()

UNCONFIRMED: Final = frozenset({Status.AWAITING, Status.CONFIRM})

_AT_ONCE: Final = 50
"""Rows a sweep deals with; the next sweep takes the next ones."""


class MacTaken(DomainError):
    """A station with this MAC is registered already."""

    kind, code, title = Kind.CONFLICT, "mac-taken", "The MAC is registered already"
    title_zh = "该 MAC 地址已注册"


async def claim(
    context: Context, mac: Mac, user_code: str | None, *, own: UUID | None = None
) -> Claim | None:
    """The waiting box that shows `user_code`; None without a code: it is awaited then.

    Best outside a transaction: a wrong try counts though this raises (`pending.claim`).

    Args:
        context: of the process.
        mac: which box.
        user_code: what was typed.
        own: the station for which the box is meant, when that exists already.

    Raises:
        MacTaken: some other station has this MAC.
        NotSeen: no box waits under it.
        WrongUserCode: one does, and shows another code.
    """
    await lapse(context, mac, but=own)
    if await Device.filter(~Q(id=own) if own else Q(), mac=mac).exists():
        raise MacTaken(f"mac {mac}", mac=mac)
    return None if user_code is None else await pending.claim(context, mac, user_code)


def assign(context: Context, device: Device, mac: Mac, claimed: Claim | None) -> None:
    """Make the unsaved row that of the claimed box, ACTIVE, or of one that is awaited."""
    now = context.clock()
    device.mac = device.last_mac = mac
    device.nonce = device.commitment = device.revealed = ""
    secrets.destroy(device)
    if claimed is None:
        device.status = Status.AWAITING
        device.public_keys = device.model = device.fw = ""
        device.expires_at = now + context.settings.devices.awaiting_for
        return
    device.status = Status.ACTIVE
    device.public_keys, device.model, device.fw = claimed.pk, claimed.model, claimed.fw
    device.expires_at = None
    secrets.new_secret(context.keyring, device, clock=context.clock)


async def begin(mac: Mac, claimed: Claim | None) -> None:
    """In the transaction that assigns it: nobody waits any more, and boots count from 0.

    Raises:
        WrongUserCode: in the meantime somebody else took that box.
    """
    if claimed is None:
        await pending.forget(mac)
    else:
        await pending.use(claimed)
    await DeviceSession.filter(mac=mac).update(boot=0)


async def save(device: Device, *, new: bool = False) -> None:
    """Store the row; its unique index decides who has the MAC.

    Raises:
        MacTaken: another station has it. The transaction is lost.
    """
    try:
        await device.save(force_create=new)
    except IntegrityError:
        raise MacTaken(f"mac {device.mac}", mac=str(device.mac)) from None


async def let_go(context: Context, device: Device) -> None:
    """Make the locked row unbound: secrets destroyed, code and reader given up.

    The row stays: by its `last_mac` and key the box is told to wipe itself when it calls.
    """
    issued = device.secret_ver > 0
    await communication_codes.let_go(device.comm_code, issued=issued)
    await bluetooth.let_go(device.id)
    await alarms.settled(context, device.last_mac)
    device.mac = None
    device.reader_number = None
    device.status = Status.UNBOUND
    device.nonce = device.commitment = device.revealed = ""
    device.expires_at = None
    if device.secret is None:  # no box ever got anything that it should wipe
        device.confirmed_wipe_at = context.clock()
    secrets.destroy(device)


async def lapse(context: Context, mac: Mac | None = None, *, but: UUID | None = None) -> int:
    """Unbind stations that nobody showed or confirmed in time; how many.

    A replacement that did not come is left as it is: its place, rights and history stay,
    and an admin replaces again or unbinds.

    Args:
        context: of the process.
        mac: only that one; None: the first `_AT_ONCE`.
        but: not this station.
    """
    late = Device.filter(
        Q() if mac is None else Q(mac=mac),
        Q() if but is None else ~Q(id=but),
        status__in=list(UNCONFIRMED),
        secret_ver=0,
        expires_at__lte=context.clock(),
    )
    gone = 0
    for (device_id,) in await late.order_by("expires_at").limit(_AT_ONCE).values_list("id"):
        try:
            async with changing(device_id, among=UNCONFIRMED) as device:
                await let_go(context, device)
                await audited(context, "platform", "lapse", device, mac=device.last_mac)
        except (DeviceNotFound, WrongState):
            continue  # confirmed or unbound while we looked
        gone += 1
        log.info("device.registration.lapsed", device=device.last_mac)
    return gone


async def audited(context: Context, actor: str, verb: str, device: Device, **facts: Any) -> None:
    """Append `device.{verb}` to the audit chain, as the last statement of a transaction.

    The chain has one lock: who waits for a row while holding it makes everybody wait.
    """
    await audit.append(
        actor=actor,
        action=f"device.{verb}",
        object=f"device/{device.id}",
        community_id=device.community_id,
        clock=context.clock,
        **facts,
    )
