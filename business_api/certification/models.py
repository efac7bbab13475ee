"""Tables of the certifications."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from tortoise import fields
from tortoise.indexes import Index

from business_api.authz.scope import ScopeType, Site
from business_api.certification.states import Action, State
from business_api.people.models import IdType
from business_api.places.models import House
from business_api.residents.models import ResidentType
from business_api.tenancy import COLUMNS, InCommunity
from foundation.ids import new_id


class Path(StrEnum):
    """Which way an application goes."""

    REVIEW = "review"
    OWNER_CODE = "owner_code"


class Certification(InCommunity):
    """An account's application to be a resident of a house, and what became of it.

    `slot` is `{house}/{account}` while it is open (`states.OPEN`), and null after: one open
    application for a house. Phone and ID number are sealed with the row's own key (`vault`).
    An approval hands them and the name to the person, who may have them erased there, and
    leaves nothing here; whatever else it came to, `forgetting` does so later. The phone is the
    account's, never typed: it finds the person that staff have registered, and a phone of
    somebody else would find somebody else.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {
        **COLUMNS,
        ScopeType.BUILDING: "building_id",
        ScopeType.HOUSE: "house_id",
    }

    id = fields.UUIDField(primary_key=True, default=new_id)
    building_id = fields.UUIDField(db_index=True)
    house: fields.ForeignKeyRelation[House] = fields.ForeignKeyField(
        "business.House", related_name="certifications", on_delete=fields.OnDelete.RESTRICT
    )
    account_id = fields.UUIDField(db_index=True)
    type = fields.CharEnumField(ResidentType, max_length=12)
    path = fields.CharEnumField(Path, max_length=12)
    state = fields.CharEnumField(State, max_length=16)
    slot = fields.CharField(max_length=80, null=True, unique=True)
    name = fields.CharField(max_length=80)
    data_key = fields.BinaryField(null=True)
    phone_sealed = fields.BinaryField(null=True)
    id_type = fields.CharEnumField(IdType, max_length=20, null=True)
    id_number_sealed = fields.BinaryField(null=True)
    consent_version = fields.CharField(max_length=20, default="")
    """Of the text that the applicant agreed to, for the ID number to be kept."""
    owner_person_id = fields.UUIDField(null=True)
    """The owner who was sent the code."""
    codes_sent = fields.IntField(default=0)
    expires_at = fields.DatetimeField(null=True)
    """While it waits for the applicant or the owner."""
    person_id = fields.UUIDField(null=True, db_index=True)
    occupancy_id = fields.UUIDField(null=True, db_index=True)
    """What came of it, once approved."""
    reason = fields.CharField(max_length=200, default="")
    """Why it was rejected or revoked."""
    reviewed_by = fields.UUIDField(null=True)
    reviewed_at = fields.DatetimeField(null=True)
    forgotten_at = fields.DatetimeField(null=True)
    """When what was handed in was deleted."""
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    version = fields.IntField(default=1)

    class Meta:
        table = "business_certification"
        indexes = (
            Index(fields=("community_id", "state", "created_at")),
            Index(fields=("state", "expires_at")),
            Index(fields=("forgotten_at", "updated_at")),
        )

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(
            self.operator_id,
            self.company_id,
            self.community_id,
            self.building_id,
            self.house_id,  # type: ignore[attr-defined]
        )


class CertificationEvent(InCommunity):
    """One step of one application. Written once, never changed."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    certification: fields.ForeignKeyRelation[Certification] = fields.ForeignKeyField(
        "business.Certification", related_name="events"
    )
    seq = fields.IntField()
    """The version that the step made: 1 is the application itself."""
    at = fields.DatetimeField()
    actor = fields.CharField(max_length=60)
    """As in the audit: `account/{id}` or `platform`."""
    action = fields.CharEnumField(Action, max_length=12, null=True)
    """Null: it was made."""
    state = fields.CharEnumField(State, max_length=16)
    """After the step."""
    reason = fields.CharField(max_length=200, default="")

    class Meta:
        table = "business_certification_event"
        unique_together = (("certification", "seq"),)
