"""What the requests and answers about certifications look like."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from business_api.certification.models import Path
from business_api.certification.states import Action, State
from business_api.files.schemas import FileOut
from business_api.people.models import IdType
from business_api.people.schemas import Consents
from business_api.residents.models import ResidentType
from business_api.schemas import In, Out

_LINE = r"^[^\x00-\x1f\x7f]*$"

IdNumber = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[0-9A-Za-z()\-]*$")
]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_LINE)
]
MaybeReason = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200, pattern=_LINE)
]
TypedCode = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9]{4,8}$")]

_LIKE_AN_ADDRESS = re.compile(r"\.[^\W\d_]{2}")
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters to Unicode, and to the eye nothing."""


def _personal(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    if not name[0].isalpha() or not all(
        (one.isalpha() and one not in _FILLERS) or one in "·. -'’" for one in name
    ):
        raise ValueError("letters, and · . - ' between them")
    if _LIKE_AN_ADDRESS.search(name):
        raise ValueError("a blank after a dot")
    return name


ApplicantName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
    AfterValidator(_personal),
]
"""What others are sent as the name of a stranger: no number, no address, no sentence."""

MOST_FILES = 9


class ApplyIn(In):
    """房屋认证: the phone is that of the account. An owner needs an ID number."""

    house_id: UUID
    type: ResidentType
    name: ApplicantName
    id_type: IdType = IdType.RESIDENT_ID
    id_number: IdNumber = ""
    consents: Consents = Field(default_factory=list)
    file_ids: Annotated[tuple[UUID, ...], Field(max_length=MOST_FILES)] = ()


class AskIn(In):
    """Which owner is asked; may be left out when there is one, or for another code."""

    owner_id: UUID | None = None


class OwnerCodeIn(In):
    """The code that the owner was sent."""

    code: TypedCode


class ReasonIn(In):
    """Why: the applicant reads it."""

    reason: Reason


class RefuseIn(In):
    """Why, if one wants to say: the applicant reads it."""

    reason: MaybeReason = ""


class OwnerOut(Out):
    """An owner who can be asked, as far as a stranger may know: 张*, 8000."""

    id: UUID
    name: str
    phone_ending: str


class MyCertificationOut(Out):
    """An application of one's own. `name` is empty once that is forgotten."""

    id: UUID
    community_id: UUID
    community_name: str
    house_id: UUID
    house_name: str
    type: ResidentType
    path: Path
    state: State
    name: str
    reason: str
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class MyCertificationDetailOut(MyCertificationOut):
    """The same, with what can be done now. `owners`: who can be asked, while one can be."""

    phone: str
    id_type: IdType | None
    id_number: str
    owners: list[OwnerOut]
    asked_owner_id: UUID | None
    codes_left: int
    actions: list[Action]
    files: list[FileOut]


class HouseholdRequestOut(Out):
    """Somebody who wants to live in one's house, or was let in that way."""

    id: UUID
    house_id: UUID
    house_name: str
    type: ResidentType
    path: Path
    state: State
    name: str
    phone: str
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    actions: list[Action]


class CertificationOut(Out):
    """An application, for staff; phone and ID number masked."""

    id: UUID
    community_id: UUID
    community_name: str
    building_id: UUID
    house_id: UUID
    house_name: str
    type: ResidentType
    path: Path
    state: State
    name: str
    phone: str
    reason: str
    reviewed_by_name: str
    reviewed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class StepOut(Out):
    """One step of an application. `action` is null for its making; no name: by itself."""

    at: datetime
    action: Action | None
    state: State
    by_name: str
    reason: str


class CertificationDetailOut(CertificationOut):
    """The same, with what was handed in, its history and what can be done now."""

    id_type: IdType | None
    id_number: str
    person_id: UUID | None
    occupancy_id: UUID | None
    actions: list[Action]
    files: list[FileOut]
    steps: list[StepOut]


class OwnerMatchOut(Out):
    """Whether the application says the same as one owner in the house file.

    Null: one of the two says nothing.
    """

    name: bool
    phone: bool | None
    id_number: bool | None


class ApplicantComparisonOut(Out):
    """The application against each owner in the house file; empty: none is registered."""

    owners: list[OwnerMatchOut]
