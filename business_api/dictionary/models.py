"""Tables of the data dictionary."""

from typing import Final

from tortoise import fields
from tortoise.models import Model

from business_api.authz.scope import Site
from foundation.ids import new_id

PLATFORM: Final = "platform"
"""The owner of an item that is everybody's."""


class DictType(Model):
    """One list, e.g. the places where advertisements are shown. The same for everybody."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    code = fields.CharField(max_length=40, unique=True)
    name_zh = fields.CharField(max_length=80)
    name_en = fields.CharField(max_length=80)
    builtin = fields.BooleanField(default=False)
    """The product asks for it by its code: it stays."""
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_dict_type"


class DictItem(Model):
    """A word of a list: the platform's, or an operator's own, which wins over it.

    `owner` is the operator's id, or `PLATFORM`: a null could not be part of what is unique.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    type: fields.ForeignKeyRelation[DictType] = fields.ForeignKeyField(
        "business.DictType", related_name="items"
    )
    operator_id = fields.UUIDField(null=True, db_index=True)
    owner = fields.CharField(max_length=36, default=PLATFORM)
    code = fields.CharField(max_length=40)
    name_zh = fields.CharField(max_length=80)
    name_en = fields.CharField(max_length=80)
    sort = fields.IntField(default=0)
    enabled = fields.BooleanField(default=True)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_dict_item"
        unique_together = (("type", "owner", "code"),)

    @property
    def site(self) -> Site:
        """For decisions; of the platform's, the platform."""
        return Site(self.operator_id)
