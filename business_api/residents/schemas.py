"""Who lives where, as the API shows it. Times are UTC."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from business_api.people.models import IdType
from business_api.people.schemas import IdNumberText, PersonIn, PersonOut, PhoneText
from business_api.places.models import HouseState
from business_api.residents.models import ResidentType
from business_api.residents.times import Standing
from business_api.schemas import In, Out

CallOrder = Annotated[int, Field(ge=1, le=10_000)]
Notes = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=1000, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]*$"
    ),
]
"""Several lines of text."""


class MoveInIn(In):
    """Who moves in: somebody known (`person_id`), or somebody new (`person`).

    Somebody new with the phone and the name of somebody known is that one. `valid_from`
    without: now; a year ahead at most. `call_order` without: rung last.
    """

    person_id: UUID | None = None
    person: PersonIn | None = None
    type: ResidentType
    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None
    call_order: CallOrder | None = None
    landline: PhoneText | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.person_id is None) == (self.person is None):
            raise ValueError("either person_id or person")
        return self


class OccupancyChangeIn(In):
    """What is to be different. `valid_to` null: until further notice; `landline` null: none."""

    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None
    call_order: CallOrder | None = None
    landline: PhoneText | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change")
        for name in ("valid_from", "call_order"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self

    def changes(self) -> dict[str, Any]:
        """The fields that were said."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class CallOrderIn(In):
    """Everybody who lives in the house or is to, in the order they are rung."""

    occupancy_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class ResidentOut(Out):
    """A person in a house. Phones are masked; documents and landlines are for staff only."""

    id: UUID
    community_id: UUID
    building_id: UUID
    house_id: UUID
    house_name: str
    person_id: UUID
    name: str
    phone: str | None
    id_type: IdType | None
    id_number: str | None
    has_account: bool
    type: ResidentType
    state: Standing
    valid_from: datetime
    valid_to: datetime | None
    ended_at: datetime | None
    end_reason: str
    call_order: int
    landline: str | None
    version: int


class SearchIn(In):
    """An exact phone number, or an exact number of a document: never in an address."""

    community_id: UUID
    phone: PhoneText | None = None
    id_type: IdType | None = None
    id_number: IdNumberText | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.phone is None) == (self.id_number is None):
            raise ValueError("either phone or id_number")
        if (self.id_type is None) != (self.id_number is None):
            raise ValueError("id_type and id_number go together")
        return self


class FoundOut(Out):
    """A person who was found, and where it lives and lived."""

    person: PersonOut
    homes: list[ResidentOut]


class MyHouseOut(Out):
    """A house of the signed-in account. `state` future: it moves in at `since`."""

    id: UUID
    name: str
    community_id: UUID
    community_name: str
    building_id: UUID
    unit_id: UUID | None
    house_state: HouseState
    occupancy_id: UUID
    type: ResidentType
    state: Standing
    since: datetime
    until: datetime | None


class MoveOutIn(In):
    """What the two sides agreed on. `keep_owners`: the tenants go, the owners still own it."""

    meter_notes: Notes = ""
    keys: Notes = ""
    remarks: Notes = ""
    keep_owners: bool = False


class HandOverOut(Out):
    """A house was handed over. `people`: who moved out of it then."""

    id: UUID
    house_id: UUID
    at: datetime
    people: list[str]
    meter_notes: str
    keys: str
    remarks: str
    by_id: UUID | None
    by_name: str


class LandlineRevealIn(In):
    """Why: the reason is kept for ever."""

    reason: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=2, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
    ]
