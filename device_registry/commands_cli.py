"""`linli device …`: what an operator does to stations, codes and readers from a shell.

A change reaches a running platform through the database: its broker looks again when it is
woken (PostgreSQL) or after its poll period, and ends the sessions of who is out.
"""

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from device_registry import pools_cli
from device_registry.devices import communication_codes, lifecycle, queries, registration
from device_registry.devices.changes import DeviceNotFound
from device_registry.devices.communication_codes import CodeNotFree
from device_registry.devices.models import Device, DeviceSession
from device_registry.devices.registration import NewStation
from device_registry.devices.states import Position, Status
from device_registry.pools_cli import Page, Search, Size
from foundation.commands import actor, awaited, opened, plain, print_page
from foundation.runner import Context
from foundation.wire.topics import BadMac, mac12

app = typer.Typer(help="Door stations, communication codes and readers.", no_args_is_help=True)
app.add_typer(pools_cli.codes, name="codes")
app.add_typer(pools_cli.readers, name="readers")

StationArg = Annotated[str, typer.Argument(metavar="STATION", help="Its id or its MAC.")]
UserCode = Annotated[str | None, typer.Option(help="The check code (校验码) that the box shows.")]


@app.command("list")
@awaited
async def list_stations(
    *,
    community: Annotated[UUID | None, typer.Option(help="Only of this one.")] = None,
    status: Annotated[Status | None, typer.Option(help="Empty: all but the unbound.")] = None,
    search: Search = "",
    page: Page = 1,
    size: Size = 20,
) -> None:
    """List stations by name."""
    async with opened() as context:
        found = _found(community, status, search)
        rows = await found.order_by("name", "id").offset((page - 1) * size).limit(size)
        total = await found.count()
        here = await _presence(context, [row.last_mac for row in rows])
    table = Table("Id", "Name", "MAC", "Status", "Presence", "Code", "Position")
    for row in rows:
        shown = here.get(row.last_mac, "offline") if row.mac else ""
        table.add_row(
            str(row.id), row.name, row.last_mac, row.status, shown, row.comm_code, row.position
        )
    print_page(table, total)


@app.command()
@awaited
async def show(station: StationArg) -> None:
    """Show all about one station; while it must be confirmed, the number to compare."""
    async with opened() as context:
        device_id = await _id_of(station)
        found = await queries.station(device_id, context.clock())
        number = await registration.comparison(context, device_id)
    if found is None:
        raise DeviceNotFound(station)
    for name in found.__slots__:
        print(f"{name:15} {plain(getattr(found, name))}")
    if number is not None:
        print(f"{'number':15} {number}   (confirm it if the box shows the same)")


@app.command()
@awaited
async def register(
    *,
    community: Annotated[UUID, typer.Option(help="Whose station it is.")],
    name: Annotated[str, typer.Option(help="E.g. 东门.")],
    mac: Annotated[str, typer.Option(help="As the box shows it.")],
    position: Annotated[Position, typer.Option(help="Where it hangs.")] = Position.GATE,
    place: Annotated[
        UUID | None, typer.Option(help="The building or unit; not for a gate.")
    ] = None,
    code: Annotated[str | None, typer.Option(help="A free 通讯码; empty: the first one.")] = None,
    reader: Annotated[str | None, typer.Option(help="Number of an unbound reader.")] = None,
    user_code: UserCode = None,
    community_name: Annotated[str, typer.Option(help="For the station's screen.")] = "",
) -> None:
    """Register a station: at once with its check code, else it is awaited and confirmed."""
    async with opened() as context:
        new = NewStation(
            community_id=community,
            name=name,
            position=position,
            place_id=place or community,
            mac=mac,
            comm_code=code or await _free_code(),
            reader_number=reader,
            user_code=user_code,
            community_name=community_name,
        )
        device_id = await registration.register(context, actor(), new)
    print(device_id)
    if user_code is None:
        print(f"Power the box, compare its number with that of `linli device show {device_id}`,")
        print(f"then `linli device confirm {device_id} NUMBER`.")


@app.command()
@awaited
async def confirm(
    station: StationArg,
    number: Annotated[str, typer.Argument(help="The six digits on the box's screen.")],
) -> None:
    """Confirm an awaited box whose number is the same on both sides."""
    async with opened() as context:
        device_id = await _id_of(station)
        await registration.confirm(context, actor(), device_id, number=number)


@app.command()
@awaited
async def suspend(station: StationArg) -> None:
    """Shut a station out; it stays registered."""
    async with opened() as context:
        await lifecycle.suspend(context, actor(), await _id_of(station))


@app.command()
@awaited
async def resume(station: StationArg) -> None:
    """Let a suspended or quarantined station in again."""
    async with opened() as context:
        await lifecycle.resume(context, actor(), await _id_of(station))


@app.command()
@awaited
async def unbind(station: StationArg) -> None:
    """Give a station up: its secret is destroyed, the box wipes itself when it calls."""
    async with opened() as context:
        await lifecycle.unbind(context, actor(), await _id_of(station))


@app.command()
@awaited
async def replace(
    station: StationArg,
    mac: Annotated[str, typer.Argument(help="Of the new box.")],
    *,
    user_code: UserCode = None,
) -> None:
    """Hang another box in the same place (一键换机)."""
    async with opened() as context:
        device_id = await _id_of(station)
        await lifecycle.replace(context, actor(), device_id, mac, user_code)


@app.command()
@awaited
async def rotate(station: StationArg) -> None:
    """Give a station a new secret; the old one works until that is used, or for a day."""
    async with opened() as context:
        await lifecycle.rotate(context, actor(), await _id_of(station))


def _found(community: UUID | None, status: Status | None, search: str) -> QuerySet[Device]:
    found = (
        Device.exclude(status=Status.UNBOUND) if status is None else Device.filter(status=status)
    )
    if community is not None:
        found = found.filter(community_id=community)
    if search:
        found = found.filter(
            Q(name__icontains=search)
            | Q(last_mac__contains=search.lower().replace(":", ""))
            | Q(comm_code__icontains=search)
        )
    return found


async def _id_of(station: str) -> UUID:
    """The station that an operator names.

    Raises:
        DeviceNotFound: neither an id nor the MAC of a registered one.
    """
    try:
        return UUID(station)
    except ValueError:
        pass
    try:
        found = await Device.get_or_none(mac=mac12(station))
    except BadMac:
        found = None
    if found is None:
        raise DeviceNotFound(station)
    return UUID(str(found.id))


async def _free_code() -> str:
    free = await communication_codes.free(limit=1)
    if not free:
        raise CodeNotFree("the pool is empty: `linli device codes generate`")
    return free[0]


async def _presence(context: Context, macs: list[str]) -> dict[str, str]:
    sessions = await DeviceSession.filter(mac__in=macs).values()
    now, stale_after = context.clock(), context.settings.devices.stale_after
    return {row["mac"]: queries.presence_of(row, now, stale_after).presence for row in sessions}
