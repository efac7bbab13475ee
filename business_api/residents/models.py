"""Who lives where: the reason for every right of a resident."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from tortoise import fields
from tortoise.indexes import Index

from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType, Site
from business_api.people.models import Person
from business_api.places.models import House
from business_api.tenancy import COLUMNS, InCommunity
from foundation.ids import new_id


class ResidentType(StrEnum):
    """住户类型."""

    OWNER = "owner"  # 业主
    FAMILY = "family"  # 家庭成员
    TENANT = "tenant"  # 租客
    VISITOR = "visitor"  # 长期访客


ROLE_OF: Final[Mapping[ResidentType, Role]] = {
    ResidentType.OWNER: Role.OWNER,
    ResidentType.FAMILY: Role.FAMILY,
    ResidentType.TENANT: Role.TENANT,
    ResidentType.VISITOR: Role.VISITOR,
}


class Occupancy(InCommunity):
    """A person lives in a house, from one time to another.

    `slot` is `{house}/{person}` while it is not over, and null after: a person lives in a
    house once at a time, and comes back as often as it likes.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {
        **COLUMNS,
        ScopeType.BUILDING: "building_id",
        ScopeType.HOUSE: "house_id",
    }

    id = fields.UUIDField(primary_key=True, default=new_id)
    building_id = fields.UUIDField(db_index=True)
    house: fields.ForeignKeyRelation[House] = fields.ForeignKeyField(
        "business.House", related_name="occupancies", on_delete=fields.OnDelete.RESTRICT
    )
    person: fields.ForeignKeyRelation[Person] = fields.ForeignKeyField(
        "business.Person", related_name="occupancies"
    )
    type = fields.CharEnumField(ResidentType, max_length=12)
    slot = fields.CharField(max_length=80, null=True, unique=True)
    valid_from = fields.DatetimeField()
    valid_to = fields.DatetimeField(null=True)
    """Known in advance (a tenancy's end); null: until further notice."""
    ended_at = fields.DatetimeField(null=True)
    end_reason = fields.CharField(max_length=40, default="")
    call_order = fields.IntField(default=0)
    """The house's members are rung in this order (BR23)."""
    landline_sealed = fields.BinaryField(null=True)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_occupancy"
        indexes = (Index(fields=("ended_at", "valid_to")),)

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


class HandOver(InCommunity):
    """交接: a house was handed back, with its keys, when people moved out of it.

    The texts are sealed with the master key, bound to the row: people write names and phone
    numbers into remarks.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = Occupancy.SCOPES

    id = fields.UUIDField(primary_key=True, default=new_id)
    building_id = fields.UUIDField()
    house: fields.ForeignKeyRelation[House] = fields.ForeignKeyField(
        "business.House", related_name="hand_overs"
    )
    at = fields.DatetimeField()
    occupancy_ids: fields.JSONField[list[str]] = fields.JSONField()
    """Those that ended with it."""
    notes_sealed = fields.BinaryField()
    created_by = fields.UUIDField(null=True)

    class Meta:
        table = "business_hand_over"
        indexes = (Index(fields=("house_id", "at")),)

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
