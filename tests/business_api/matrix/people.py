"""Persons and consents in the tenant matrix."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from business_api.people import consents, persons
from business_api.people.consent_texts import Purpose
from business_api.people.models import ConsentRecord
from business_api.people.persons import NewPerson
from tests.business_api.conftest import Api, Estate

AGREED: Final = consents.current(Purpose.ID_NUMBER)


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """Somebody who has agreed to something, and lives nowhere yet."""
    new = NewPerson("王五", phone="13900139000", consents=(AGREED,))
    person = await persons.create(api.context, "platform", estate.site, new)
    consent = await ConsentRecord.get(person=person)
    return {"person_id": str(person.id), "consent_id": str(consent.id)}


_CONSENT: Final = {"purpose": "id_number", "version": AGREED.version}

BODIES: Final[dict[str, Callable[[Estate, Mapping[str, str]], Any]]] = {
    "changePerson": lambda _estate, _ids: {"name": "王六"},
    "revealPerson": lambda _estate, _ids: {"field": "phone", "reason": "快递联系"},
    "recordConsent": lambda _estate, _ids: _CONSENT,
    "giveMyConsent": lambda estate, _ids: {**_CONSENT, "community_id": str(estate.id)},
}
