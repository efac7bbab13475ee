"""Residents in the tenant matrix."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from business_api.authz.scope import Site
from business_api.people import persons
from business_api.people.persons import NewPerson
from business_api.residents import moves
from business_api.residents.models import ResidentType
from tests.business_api.conftest import Api, Estate


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """A member of the flat's household, whom owners may send away."""
    person = await persons.create(api.context, "platform", estate.site, NewPerson("李四"))
    home = await moves.move_in(
        api.context,
        "platform",
        estate.flat,
        person,
        ResidentType.FAMILY,
        landline="010-62345678",
    )
    return {"occupancy_id": str(home.id)}


SITES: Final[dict[str, Callable[[Estate, Mapping[str, str]], Site]]] = {
    "occupancy_id": lambda estate, _ids: estate.flat.site
}

BODIES: Final[dict[str, Callable[[Estate, Mapping[str, str]], Any]]] = {
    "moveIn": lambda _estate, _ids: {"person": {"name": "赵六"}, "type": "tenant"},
    "moveOut": lambda _estate, _ids: {"keys": "门钥匙两把"},
    "orderCalls": lambda _estate, ids: {"occupancy_ids": [ids["occupancy_id"]]},
    "changeOccupancy": lambda _estate, _ids: {"call_order": 2},
    "revealLandline": lambda _estate, _ids: {"reason": "快递联系"},
    "searchResidents": lambda estate, _ids: {
        "community_id": str(estate.id),
        "phone": "13900139000",
    },
}
