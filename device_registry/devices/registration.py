"""Registration (REG/1, step 2): an admin says what hangs where, in either order.

Station first: the box shows a 校验码, the admin types it, and it is active at once.
Admin first: the row waits for the MAC; when a box shows it, both sides show six digits and
an admin presses 一致. One transaction each; unique indexes and conditional updates decide.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from tortoise.transactions import in_transaction

from device_registry.devices import bluetooth, boxes, communication_codes
from device_registry.devices.answers import number_of
from device_registry.devices.boxes import audited
from device_registry.devices.changes import WrongState, announce, changing
from device_registry.devices.enrolment import lapsed
from device_registry.devices.models import Device, Position, Status
from device_registry.devices.secrets import new_secret
from device_registry.devices.text import printable
from foundation.errors import DomainError, Kind
from foundation.ids import new_id
from foundation.runner import Context
from foundation.wire.topics import is_local, mac12

log = structlog.get_logger()

REGISTRATIONS = Counter("registrations_total", "Stations registered, by order.", ["order"])

NAME_LENGTH: Final = 80


class BadName(DomainError):
    """A name has 1 to 80 printable characters."""

    kind, code, title = Kind.INVALID, "bad-device-name", "Not a name for a station"
    title_zh = "设备名称应为 1 至 80 个字符"


class BadPosition(DomainError):
    """A station at the gate belongs to the community itself."""

    kind, code, title = Kind.INVALID, "bad-position", "Position and place do not fit"
    title_zh = "设备位置与所选地点不符"


class RegistrationLapsed(DomainError):
    """Nobody confirmed in time: register the station again."""

    kind, code, title = Kind.CONFLICT, "registration-lapsed", "The registration has lapsed"
    title_zh = "注册已过期，请重新注册"


class NumberDiffers(DomainError):
    """The number that was compared is not that of the box."""

    kind, code, title = Kind.CONFLICT, "number-differs", "The numbers are not the same"
    title_zh = "比对数字不一致"


@dataclass(frozen=True, slots=True)
class NewStation:
    """What an admin says of a station. The caller has checked that the place is theirs."""

    community_id: UUID
    name: str
    position: Position
    place_id: UUID
    mac: str
    comm_code: str
    reader_number: str | None = None
    user_code: str | None = None
    """The 校验码 the box shows; without it the box is awaited, and confirmed by number."""
    community_name: str = ""
    """For the station's screen."""


async def register(context: Context, actor: str, new: NewStation) -> UUID:
    """Register a station: row, 通讯码 and reader in one transaction.

    Args:
        context: of the process.
        actor: `account/{id}`; see `foundation.audit`.
        new: what and where.

    Returns:
        Its id; ACTIVE with `user_code`, else AWAITING for `awaiting_for`.

    Raises:
        BadMac: `mac` is not that of a station.
        BadName: no name, or too long a one.
        BadPosition: a gate that is not the community's.
        MacTaken: this MAC is registered.
        NotSeen: no box with this MAC waits for its `user_code`.
        WrongUserCode: one does, and shows another code; this try is counted.
        CodeNotFree: the 通讯码 is not in the pool or not free.
        ReaderNotFree: the reader is not imported or bound already.
    """
    mac, name = mac12(new.mac), _name(new.name)
    _check_place(new.position, new.place_id, new.community_id)
    claimed = await boxes.claim(context, mac, new.user_code)
    order = "admin_first" if claimed is None else "station_first"
    device = Device(
        id=new_id(),
        community_id=new.community_id,
        community_name=printable(new.community_name)[:NAME_LENGTH],
        place_id=new.place_id,
        position=new.position,
        name=name,
        comm_code=communication_codes.wanted(new.comm_code),
        reader_number=bluetooth.wanted(new.reader_number),
        created_by=_account(actor),
    )
    boxes.assign(context, device, mac, claimed)
    async with in_transaction():
        await boxes.save(device, new=True)
        await communication_codes.bind(device.comm_code, mac)
        if device.reader_number is not None:
            await bluetooth.bind(device.reader_number, device.id)
        await boxes.begin(mac, claimed)
        await audited(
            context,
            actor,
            "register",
            device,
            mac=mac,
            name=name,
            position=device.position.value,
            place=str(device.place_id),
            comm_code=device.comm_code,
            reader=device.reader_number,
            order=order,
            local_mac=is_local(mac),
        )
    REGISTRATIONS.labels(order).inc()
    log.info("device.registered", device=mac, id=str(device.id), order=order)
    if is_local(mac):
        log.warning("device.mac.local", device=mac)  # made up: an emulator's, or a wrong label
    if claimed is not None:
        await announce(context)
    return device.id


async def confirm(
    context: Context,
    actor: str,
    device_id: UUID,
    *,
    number: str | None = None,
    version: int | None = None,
) -> None:
    """An admin has compared the digits and pressed 一致: the box is the station.

    Args:
        context: of the process.
        actor: `account/{id}`.
        device_id: in state CONFIRM.
        number: the digits the admin saw, if the caller knows them.
        version: the one the caller read.

    Raises:
        DeviceNotFound: no such station.
        WrongState: no box has shown itself and a number, or it is confirmed already.
        DeviceChanged: it has another version.
        RegistrationLapsed: too late.
        NumberDiffers: the box that shows itself has another number.
    """
    among = frozenset({Status.CONFIRM})
    async with changing(device_id, among=among, version=version) as device:
        if lapsed(device, context):
            raise RegistrationLapsed(f"device {device_id}")
        shown = number_of(context, device)
        if shown is None:
            raise WrongState(f"device {device_id}: no number to compare yet")
        if number is not None and number != shown:
            raise NumberDiffers(f"device {device_id}")
        device.status, device.expires_at = Status.ACTIVE, None
        device.nonce = device.commitment = device.revealed = ""
        new_secret(context.keyring, device, clock=context.clock)
        await audited(context, actor, "confirm", device, mac=device.mac)
    log.info("device.confirmed", device=device.mac, id=str(device_id))
    await announce(context)


async def comparison(context: Context, device_id: UUID) -> str | None:
    """The six digits that the box shows too; None unless somebody has to compare them now."""
    device = await Device.get_or_none(id=device_id, status=Status.CONFIRM)
    if device is None or lapsed(device, context):
        return None
    return number_of(context, device)


async def rename(
    context: Context, actor: str, device_id: UUID, name: str, *, version: int | None = None
) -> None:
    """Give a station another name.

    Raises:
        BadName: no name, or too long a one.
        DeviceNotFound: no such station.
        WrongState: it is unbound.
        DeviceChanged: it has another version.
    """
    name = _name(name)
    async with changing(device_id, version=version) as device:
        before, device.name = device.name, name
        await audited(context, actor, "rename", device, before=before, name=name)


async def move(
    context: Context,
    actor: str,
    device_id: UUID,
    position: Position,
    place_id: UUID,
    *,
    version: int | None = None,
) -> None:
    """Hang a station elsewhere in its community; the caller has checked that `place_id` is.

    Who may open it follows at once: rights are kept by place.

    Raises:
        BadPosition: a gate that is not the community's.
        DeviceNotFound: no such station.
        WrongState: it is unbound.
        DeviceChanged: it has another version.
    """
    async with changing(device_id, version=version) as device:
        _check_place(position, place_id, device.community_id)
        before = str(device.place_id)
        device.position, device.place_id = position, place_id
        await audited(
            context,
            actor,
            "move",
            device,
            before=before,
            position=position.value,
            place=str(place_id),
        )


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise BadName(f"{len(name)} characters")
    return name


def _check_place(position: Position, place_id: UUID, community_id: UUID) -> None:
    if position is Position.GATE and place_id != community_id:
        raise BadPosition("the place of a gate is its community")


def _account(actor: str) -> UUID | None:
    kind, _, account_id = actor.partition("/")
    try:
        return UUID(account_id) if kind == "account" else None
    except ValueError:
        return None
