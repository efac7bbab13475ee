"""Zones, buildings, units and houses in the tenant matrix."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from business_api.places.models import Zone
from business_api.tenancy import place
from tests.business_api.conftest import Api, Estate

Values = Mapping[str, str]


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """A zone; the rest stands in every estate."""
    zone = await Zone.create(code="A", name="东区", **place(estate.site))
    return {"zone_id": str(zone.id)}


def _ids(name: str) -> Callable[[Estate, Values], Any]:
    return lambda _estate, ids: {"ids": [ids[name]]}


BODIES: Final[dict[str, Callable[[Estate, Values], Any]]] = {
    "createZone": lambda _estate, _ids: {"code": "B", "name": "西区"},
    "changeZone": lambda _estate, _ids: {"name": "北区"},
    "createBuilding": lambda _estate, _ids: {"code": "09", "name": "9号楼", "has_units": True},
    "changeBuilding": lambda _estate, _ids: {"name": "A座"},
    "deleteBuildings": _ids("building_id"),
    "createUnit": lambda _estate, _ids: {"code": "9"},
    "changeUnit": lambda _estate, _ids: {"floors": 9},
    "deleteUnits": _ids("unit_id"),
    "createHouse": lambda _estate, ids: {"code": "0909", "unit_id": ids["unit_id"]},
    "changeHouse": lambda _estate, _ids: {"room_no": "A"},
    "deleteHouses": _ids("house_id"),
    "generateHouses": lambda _estate, _ids: {"last_floor": 2, "rooms": 2},
}

QUERIES: Final[dict[str, Callable[[Estate, Values], Any]]] = {
    "findUnits": lambda _estate, ids: {"building_id": ids["building_id"]},
    "findHouses": lambda _estate, ids: {"building_id": ids["building_id"]},
}
