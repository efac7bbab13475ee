"""Operators, companies, communities, their figures and words in the tenant matrix."""

from typing import Any, Final

from business_api.authz.scope import Site
from business_api.dictionary.models import PLATFORM, DictItem, DictType
from tests.business_api.conftest import Api, Estate

_NAMES: Final = {"name_zh": "词", "name_en": "Word"}


async def things(api: Api, _: Estate) -> dict[str, str]:
    """A list and a word of the platform's: the same ones wherever one asks."""
    made = {"created_at": api.time(), **_NAMES}
    type_, _new = await DictType.get_or_create(made, code="matrix")
    item, _new = await DictItem.get_or_create(made, type_id=type_.id, owner=PLATFORM, code="word")
    return {"dict_type_id": str(type_.id), "dict_item_id": str(item.id)}


BODIES: Final[dict[str, Any]] = {
    "createOperator": lambda _estate, _ids: {"name": "新运营"},
    "changeOperator": lambda _estate, _ids: {"contact": "李"},
    "createCompany": lambda _estate, _ids: {"name": "新物业"},
    "changeCompany": lambda _estate, _ids: {"contact": "李"},
    "createCommunity": lambda _estate, _ids: {"name": "新小区", "region_code": "440306"},
    "changeCommunity": lambda _estate, _ids: {"contact": "李"},
    "createDictType": lambda _estate, _ids: {"code": "new", **_NAMES},
    "changeDictType": lambda _estate, _ids: {"name_en": "Words"},
    "createDictItem": lambda _estate, _ids: {"code": "new", **_NAMES},
    "changeDictItem": lambda _estate, _ids: {"sort": 5},
}

QUERIES: Final[dict[str, Any]] = {
    "geocode": lambda _estate, _ids: {"search": "柏树园"},
    "listDictChoices": lambda _estate, _ids: {"type_code": "matrix"},
}

SITES: Final[dict[str, Any]] = {
    "dict_type_id": lambda _estate, _ids: Site(),
    "dict_item_id": lambda _estate, _ids: Site(),
}
"""The platform's: everybody who reads the dictionary sees them, the super admin edits them."""

SHARED: Final = {"dict_type_id", "dict_item_id"}
