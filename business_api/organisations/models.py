"""Tables of the tenants."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from tortoise import fields
from tortoise.models import Model

from business_api.authz.scope import ScopeType, Site
from foundation.ids import new_id


class CertificationPolicy(StrEnum):
    """How people who are not the owner are certified (C5)."""

    OWNER_CODE = "owner_code"  # the owner's one-time code is enough (§3.5)
    REVIEW = "review"  # everybody is reviewed


class Operator(Model):
    """运营公司: runs the platform for its property companies (R2)."""

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {ScopeType.OPERATOR: "id"}

    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=80, unique=True)
    phone = fields.CharField(max_length=20, default="")
    address = fields.CharField(max_length=200, default="")
    contact = fields.CharField(max_length=40, default="")
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_operator"

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(self.id)


class PropertyCompany(Model):
    """物业公司, or an owners' committee (业主委员会) that manages itself (R3, F2)."""

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {
        ScopeType.OPERATOR: "operator_id",
        ScopeType.COMPANY: "id",
    }

    id = fields.UUIDField(primary_key=True, default=new_id)
    operator_id = fields.UUIDField()
    name = fields.CharField(max_length=80)
    phone = fields.CharField(max_length=20, default="")
    address = fields.CharField(max_length=200, default="")
    contact = fields.CharField(max_length=40, default="")
    is_owner_committee = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_property_company"
        unique_together = (("operator_id", "name"),)

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(self.operator_id, self.id)


class Community(Model):
    """小区: the unit of management (F14).

    Coordinates are WGS-84 in decimal degrees; GCJ-02 and BD-09 are converted at the edge.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {
        ScopeType.OPERATOR: "operator_id",
        ScopeType.COMPANY: "company_id",
        ScopeType.COMMUNITY: "id",
    }

    id = fields.UUIDField(primary_key=True, default=new_id)
    operator_id = fields.UUIDField(db_index=True)
    company_id = fields.UUIDField()
    name = fields.CharField(max_length=80)
    region_code = fields.CharField(max_length=6, default="", db_index=True)
    """GB/T 2260 code of the district; the first two digits are the province, four the city."""
    address = fields.CharField(max_length=200, default="")
    contact = fields.CharField(max_length=40, default="")
    phone = fields.CharField(max_length=20, default="")
    lat = fields.DecimalField(max_digits=9, decimal_places=6, null=True)
    lng = fields.DecimalField(max_digits=9, decimal_places=6, null=True)
    certification_policy = fields.CharEnumField(
        CertificationPolicy, max_length=12, default=CertificationPolicy.OWNER_CODE
    )
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_community"
        unique_together = (("company_id", "name"),)

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(self.operator_id, self.company_id, self.id)
