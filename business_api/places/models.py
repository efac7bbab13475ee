"""The place tree, and who lives where. Thin: *People, places and rights* replaces it."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from foundation.ids import new_id


class Community(Model):
    """小区: the unit of management, and the widest scope of an account for now."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=80)

    class Meta:
        table = "business_community"


class Building(Model):
    """楼栋. Without units, houses hang on it directly (BR3)."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    community: fields.ForeignKeyRelation[Community] = fields.ForeignKeyField(
        "business.Community", related_name="buildings"
    )
    code = fields.CharField(max_length=8)
    name = fields.CharField(max_length=40)
    has_units = fields.BooleanField(default=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_building"
        unique_together = (("community", "code"),)


class Unit(Model):
    """单元: a stairwell with a door of its own."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    building: fields.ForeignKeyRelation[Building] = fields.ForeignKeyField(
        "business.Building", related_name="units"
    )
    code = fields.CharField(max_length=8)

    class Meta:
        table = "business_unit"
        unique_together = (("building", "code"),)


class House(Model):
    """房屋: a dwelling; `code` is floor and room, e.g. 0101.

    `parent_id` is the unit, or the building when it has no units: a null `unit` cannot be
    part of what is unique.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    community: fields.ForeignKeyRelation[Community] = fields.ForeignKeyField(
        "business.Community", related_name="houses"
    )
    building: fields.ForeignKeyRelation[Building] = fields.ForeignKeyField(
        "business.Building", related_name="houses"
    )
    unit: fields.ForeignKeyNullableRelation[Unit] = fields.ForeignKeyField(
        "business.Unit", related_name="houses", null=True
    )
    parent_id = fields.UUIDField()
    code = fields.CharField(max_length=8)
    version = fields.IntField(default=1)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.parent_id is None:
            self.parent_id = self.unit_id or self.building_id

    class Meta:
        table = "business_house"
        unique_together = (("parent_id", "code"),)


class Residence(Model):
    """An account lives in a house: the reason for its rights to open."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    house: fields.ForeignKeyRelation[House] = fields.ForeignKeyField(
        "business.House", related_name="residences"
    )
    account_id = fields.UUIDField(db_index=True)

    class Meta:
        table = "business_residence"
        unique_together = (("house", "account_id"),)
