"""Certifications in the tenant matrix."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from business_api.authz.scope import Site
from business_api.certification import personal
from business_api.certification.models import Certification, Path
from business_api.certification.personal import Personal
from business_api.certification.states import State
from business_api.residents.models import ResidentType
from business_api.tenancy import place
from foundation.ids import new_id
from tests.business_api.conftest import Api, Estate


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """A tenant's application for the flat, waiting for review."""
    id_, applicant = new_id(), new_id()
    row = await Certification.create(
        id=id_,
        house=estate.flat,
        building_id=estate.tower.id,
        account_id=applicant,
        type=ResidentType.TENANT,
        path=Path.REVIEW,
        state=State.PENDING_REVIEW,
        slot=f"{estate.flat.id}/{applicant}",
        name="张三",
        created_at=api.time(),
        updated_at=api.time(),
        **personal.sealed(api.context, id_, Personal("+8613811112222")),
        **place(estate.site),
    )
    return {"certification_id": str(row.id)}


def _site(estate: Estate, _: Mapping[str, str]) -> Site:
    return estate.flat.site


SITES: Final = {"certification_id": _site}

BODIES: Final[dict[str, Callable[[Estate, Mapping[str, str]], Any]]] = {
    "applyForHouse": lambda estate, _: {
        "house_id": str(estate.flat.id),
        "type": "tenant",
        "name": "张三",
    },
    "askOwner": lambda _estate, _ids: {},
    "confirmCertification": lambda _estate, _ids: {"code": "123456"},
    "refuseHouseholdRequest": lambda _estate, _ids: {"reason": "不认识"},
    "revealCertification": lambda _estate, _ids: {"field": "phone", "reason": "核对证件"},
    "rejectCertification": lambda _estate, _ids: {"reason": "证件不清晰"},
    "revokeCertification": lambda _estate, _ids: {"reason": "租约到期"},
}
