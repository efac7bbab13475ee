"""The three stations of the demo, registered in the manual's order: admin first.

The boxes are emulated. An admin would stand before each and compare six digits; here the
digits are read off the emulator's screens, and a station is confirmed only when its screen
shows the platform's number.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import httpx

from business_api.demo.errors import NoDemo, NotConfirmed
from business_api.demo.places import ACTOR, PARK
from business_api.organisations.models import Community
from business_api.places.models import Building, Unit
from device_registry.devices import bluetooth, communication_codes, queries, registration
from device_registry.devices.states import Position, Status
from foundation.runner import Context

MACS: Final = ("020000000001", "020000000002", "020000000003")

Screens = Callable[[], Awaitable[Mapping[str, str | None]]]
"""What number each station shows now, by MAC; None while it shows none."""

_PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class DemoStation:
    """One station of the demo."""

    id: UUID
    mac: str
    name: str
    status: Status


async def register_demo_stations(context: Context) -> list[DemoStation]:
    """Register what is missing: at the gate, at 2号楼 and at 1号楼 1单元. By MAC.

    Raises:
        NoDemo: see there.
        DomainError: what `registration.register` raises, e.g. no code is free.
    """
    community = await _community()
    there = {station.mac for station in await demo_stations(context)}
    for mac, (position, place_id, name) in (await _places(community)).items():
        if mac in there:
            continue
        codes = await communication_codes.free(limit=1)
        readers = await bluetooth.free(limit=1)
        new = registration.NewStation(
            community_id=community.id,
            community_name=community.name,
            name=name,
            position=position,
            place_id=place_id,
            mac=mac,
            comm_code=codes[0] if codes else "",
            reader_number=readers[0] if readers else None,
        )
        await registration.register(context, ACTOR, new)
    return await demo_stations(context)


async def demo_stations(context: Context) -> list[DemoStation]:
    """Those of the three that are registered, by MAC. Three statements.

    Raises:
        NoDemo: see there.
    """
    rows, _ = await queries.stations([(await _community()).id], context.clock(), size=100)
    return sorted(
        (DemoStation(row.id, row.mac, row.name, row.status) for row in rows if row.mac in MACS),
        key=lambda station: station.mac,
    )


async def confirm_demo_stations(
    context: Context, screens: Screens, *, within: timedelta
) -> list[DemoStation]:
    """Press 一致 for each station whose screen shows the platform's number, until all are in.

    Raises:
        NotConfirmed: not all of them within that time.
    """
    deadline = asyncio.get_running_loop().time() + within.total_seconds()
    while True:
        stations = await demo_stations(context)
        waiting = [station for station in stations if station.status is not Status.ACTIVE]
        if stations and not waiting:
            return stations
        if asyncio.get_running_loop().time() > deadline:
            names = ", ".join(f"{station.name} ({station.status})" for station in waiting)
            raise NotConfirmed(names or "none is registered")
        shown = await screens() if waiting else {}
        for station in waiting:
            await _confirm(context, station, shown.get(station.mac))
        await asyncio.sleep(_PAUSE)


def screens_at(url: str) -> Screens:
    """The screens of an emulator, through its control surface at `url`."""

    async def look() -> Mapping[str, str | None]:
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(f"{url.rstrip('/')}/stations")
                rows = answer.raise_for_status().json()
        except httpx.HTTPError:
            return {}  # it has not started yet; the deadline is the caller's
        return {row["mac"]: row["number"] for row in rows}

    return look


async def _confirm(context: Context, station: DemoStation, shown: str | None) -> None:
    if station.status is not Status.CONFIRM or shown is None:
        return
    if await registration.comparison(context, station.id) == shown:
        await registration.confirm(context, ACTOR, station.id, number=shown)


async def _community() -> Community:
    found = await Community.filter(name=PARK).limit(2)
    if len(found) != 1:
        raise NoDemo("run `linli demo`")
    return found[0]


async def _places(community: Community) -> dict[str, tuple[Position, UUID, str]]:
    second = await Building.get_or_none(community_id=community.id, code="02")
    unit = await Unit.get_or_none(community_id=community.id, building__code="01", code="1")
    if second is None or unit is None:
        raise NoDemo("a building or unit of the demo is missing: run `linli demo`")
    return {
        MACS[0]: (Position.GATE, community.id, "大门"),
        MACS[1]: (Position.BUILDING, second.id, "2号楼门口机"),
        MACS[2]: (Position.UNIT, unit.id, "1号楼1单元门口机"),
    }
