"""The place tree of a community: zone (optional), building, unit (optional), house."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from tortoise import fields

from business_api.authz.scope import ScopeType, Site
from business_api.tenancy import COLUMNS, InCommunity
from foundation.ids import new_id


class HouseClass(StrEnum):
    """房屋等级."""

    HIGH_RISE = "high_rise"  # 高层
    MULTI_STOREY = "multi_storey"  # 多层
    ROW = "row"  # 联排
    DETACHED = "detached"  # 独栋
    COMMERCIAL = "commercial"  # 商业


class HouseState(StrEnum):
    """房屋状态."""

    VACANT = "vacant"  # 空置
    OCCUPIED = "occupied"  # 入住
    RENOVATING = "renovating"  # 装修
    LET = "let"  # 出租
    FOR_SALE = "for_sale"  # 待售


class Zone(InCommunity):
    """区: an optional level above buildings (C10)."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    code = fields.CharField(max_length=8)
    name = fields.CharField(max_length=40)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_zone"
        unique_together = (("community_id", "code"),)


class Building(InCommunity):
    """楼栋. Without units, houses hang on it directly (BR3)."""

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {**COLUMNS, ScopeType.BUILDING: "id"}

    id = fields.UUIDField(primary_key=True, default=new_id)
    zone: fields.ForeignKeyNullableRelation[Zone] = fields.ForeignKeyField(
        "business.Zone", related_name="buildings", null=True, on_delete=fields.OnDelete.RESTRICT
    )
    code = fields.CharField(max_length=8)
    name = fields.CharField(max_length=40)
    has_units = fields.BooleanField(default=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_building"
        unique_together = (("community_id", "code"),)

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(self.operator_id, self.company_id, self.community_id, self.id)


class Unit(InCommunity):
    """单元: a stairwell with a door of its own."""

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {**COLUMNS, ScopeType.BUILDING: "building_id"}

    id = fields.UUIDField(primary_key=True, default=new_id)
    building: fields.ForeignKeyRelation[Building] = fields.ForeignKeyField(
        "business.Building", related_name="units", on_delete=fields.OnDelete.RESTRICT
    )
    code = fields.CharField(max_length=8)
    floors = fields.IntField(null=True)
    lift = fields.BooleanField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_unit"
        unique_together = (("building", "code"),)

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(
            self.operator_id,
            self.company_id,
            self.community_id,
            self.building_id,  # type: ignore[attr-defined]
        )


class House(InCommunity):
    """房屋: a dwelling; `code` is floor and room, e.g. 0101; `room_no` as people say it.

    `parent_id` is the unit, or the building when it has no units: a null `unit` cannot be
    part of what is unique.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = {
        **COLUMNS,
        ScopeType.BUILDING: "building_id",
        ScopeType.HOUSE: "id",
    }

    id = fields.UUIDField(primary_key=True, default=new_id)
    building: fields.ForeignKeyRelation[Building] = fields.ForeignKeyField(
        "business.Building", related_name="houses", on_delete=fields.OnDelete.RESTRICT
    )
    unit: fields.ForeignKeyNullableRelation[Unit] = fields.ForeignKeyField(
        "business.Unit", related_name="houses", null=True, on_delete=fields.OnDelete.RESTRICT
    )
    parent_id = fields.UUIDField()
    code = fields.CharField(max_length=8)
    room_no = fields.CharField(max_length=20, default="")
    floor = fields.IntField(null=True)
    house_class = fields.CharEnumField(HouseClass, max_length=16, null=True)
    area = fields.DecimalField(max_digits=10, decimal_places=2, null=True)
    """Floor area in m²."""
    state = fields.CharEnumField(HouseState, max_length=16, default=HouseState.VACANT)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)
    version = fields.IntField(default=1)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.parent_id is None:
            self.parent_id = self.unit_id or self.building_id

    class Meta:
        table = "business_house"
        unique_together = (("parent_id", "code"),)

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(
            self.operator_id,
            self.company_id,
            self.community_id,
            self.building_id,  # type: ignore[attr-defined]
            self.id,
        )
