"""Persons and consents, as the API shows them: masked, unless somebody has a reason."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from business_api.people import persons
from business_api.people.consent_texts import Purpose
from business_api.people.consents import Consent
from business_api.people.models import IdType, Person
from business_api.people.persons import NewPerson
from business_api.schemas import In, Name, Out
from foundation.runner import Context

_LINE = r"^[^\x00-\x1f\x7f]*$"

PhoneText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=40, pattern=_LINE)
]
IdNumberText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=_LINE)
]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200, pattern=_LINE)
]


class ConsentIn(In):
    """The person agreed to this text, in the app or on paper."""

    purpose: Purpose
    version: Annotated[str, StringConstraints(min_length=1, max_length=20, pattern=_LINE)]

    def consent(self) -> Consent:
        """For the domain."""
        return Consent(self.purpose, self.version)


Consents = Annotated[list[ConsentIn], Field(max_length=10)]


class PersonIn(In):
    """Somebody to be known. `id_number` needs `id_type`, and the consent to keep it."""

    name: Name
    phone: PhoneText | None = None
    id_type: IdType | None = None
    id_number: IdNumberText | None = None
    consents: Consents = Field(default_factory=list)

    def new(self) -> NewPerson:
        """For the domain."""
        given = tuple(one.consent() for one in self.consents)
        return NewPerson(self.name, self.phone, self.id_type, self.id_number, given)


class PersonChangeIn(In):
    """What is to be different; null takes a phone or a document away."""

    name: Name | None = None
    phone: PhoneText | None = None
    id_type: IdType | None = None
    id_number: IdNumberText | None = None
    consents: Consents = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("a person has a name")
        if not self.changes():
            raise ValueError("nothing to change")
        return self

    def changes(self) -> dict[str, Any]:
        """The fields that were said."""
        return {name: getattr(self, name) for name in self.model_fields_set if name != "consents"}


class PersonOut(Out):
    """A person. `phone` 138****8000, `id_number` 4403**********1234; null when unknown."""

    id: UUID
    community_id: UUID
    name: str
    phone: str | None
    id_type: IdType | None
    id_number: str | None
    has_account: bool
    erased_at: datetime | None
    created_at: datetime
    version: int


async def person_out(context: Context, person: Person) -> PersonOut:
    """A person, masked. No statement."""
    shown = await persons.masked(context, person)
    return PersonOut(
        id=person.id,
        community_id=person.community_id,
        name=shown.name,
        phone=shown.phone,
        id_type=shown.id_type,
        id_number=shown.id_number,
        has_account=person.account_id is not None,
        erased_at=person.erased_at,
        created_at=person.created_at,
        version=person.version,
    )


class RevealField(StrEnum):
    """What is sealed of a person."""

    PHONE = "phone"
    ID_NUMBER = "id_number"


class RevealIn(In):
    """Which field, and why: the reason is kept for ever."""

    field: RevealField
    reason: Reason


class RevealOut(Out):
    """The field in clear. Not to be stored."""

    value: str


class ConsentTextOut(Out):
    """What somebody agrees to: to be shown before `ConsentIn` is sent."""

    purpose: Purpose
    version: str
    zh: str
    en: str


class ConsentOut(Out):
    """A consent, in force until `withdrawn_at`."""

    id: UUID
    person_id: UUID
    purpose: Purpose
    version: str
    granted_at: datetime
    withdrawn_at: datetime | None


class OwnConsentIn(ConsentIn):
    """The same for oneself, as a resident of one community."""

    community_id: UUID
