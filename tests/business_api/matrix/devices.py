"""Stations, doors, openings and the pools in the tenant matrix."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final
from uuid import UUID

from business_api.authz.scope import Site
from device_registry.devices.models import CommunicationCode, Device, OpenCommand
from device_registry.devices.states import CommandState, Position, Status
from foundation.ids import new_id, new_ulid
from tests.business_api.conftest import Api, Estate

Values = Mapping[str, str]

_numbers = count(1)


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """A station at the gate, one at the unit of the flat, an opening there, and a free code."""
    gate = await _station(estate, Position.GATE, estate.id)
    door = await _station(estate, Position.UNIT, estate.unit.id)
    opening = await OpenCommand.create(
        id=new_ulid(),
        device_id=door.id,
        community_id=estate.id,
        mac=door.last_mac,
        state=CommandState.EXECUTED,
        by_kind="resident",
        by_id=new_id(),
        house_id=estate.home.id,
        at=api.time(),
        deadline=api.time(),
    )
    code = await CommunicationCode.create(code=f"90{next(_numbers):04}")
    return {
        "station_id": str(gate.id),
        "door_id": str(door.id),
        "command_id": opening.id,
        "code": code.code,
    }


async def _station(estate: Estate, position: Position, place_id: UUID) -> Device:
    mac = f"02aa{next(_numbers):08x}"
    return await Device.create(
        community_id=estate.id,
        place_id=place_id,
        position=position,
        name=f"{estate.community.name}的门口机",
        mac=mac,
        last_mac=mac,
        status=Status.ACTIVE,
        comm_code=f"80{next(_numbers):04}",
    )


SITES: Final[dict[str, Callable[[Estate, Values], Site]]] = {
    # On the way home to the flat: who lives there opens it.
    "door_id": lambda estate, _ids: estate.flat.site,
}

SHARED: Final = {"code"}
"""The pools are not divided between communities."""

BODIES: Final[dict[str, Callable[[Estate, Values], Any]]] = {
    "registerStation": lambda _estate, ids: {
        "name": "东门",
        "position": "gate",
        "mac": "02:bb:00:00:00:01",
        "comm_code": ids["code"],
    },
    "changeStation": lambda _estate, _ids: {"name": "西门"},
    "replaceStation": lambda _estate, _ids: {"mac": "02:bb:00:00:00:02"},
    "generateCommunicationCodes": lambda _estate, _ids: {"count": 1},
    "importCommunicationCodes": lambda _estate, _ids: {"codes": ["700001"]},
    "importBluetoothReaders": lambda _estate, _ids: b"BT-1",
}
