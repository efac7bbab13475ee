"""A person as one community knows it. Nothing here is shared between communities."""

from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from business_api.tenancy import InCommunity
from foundation.ids import new_id


class IdType(StrEnum):
    """证件类型."""

    RESIDENT_ID = "resident_id"  # 居民身份证 (GB 11643)
    PASSPORT = "passport"
    HK_MACAO = "hk_macao"  # 港澳居民来往内地通行证
    TAIWAN = "taiwan"  # 台湾居民来往大陆通行证
    FOREIGN_RESIDENCE = "foreign_residence"  # 外国人永久居留身份证
    OTHER = "other"


class Person(InCommunity):
    """Somebody who lives, or lived, in a community.

    `data_key` is this person's own key, wrapped by the master key (`vault`); without it the
    sealed columns are noise: erasing a person destroys it. The two indexes are blind
    (keyed hashes over the community), for search and for finding the same person again.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField(null=True, db_index=True)
    """The sign-in of this person, once it has one here (certification links it)."""
    parted_at = fields.DatetimeField(null=True)
    """When its account was deleted: the number may be somebody else's by now (`persons`)."""
    name = fields.CharField(max_length=80)
    data_key = fields.BinaryField(null=True)
    phone_sealed = fields.BinaryField(null=True)
    phone_index = fields.CharField(max_length=64, default="")
    id_type = fields.CharEnumField(IdType, max_length=20, null=True)
    id_number_sealed = fields.BinaryField(null=True)
    id_number_index = fields.CharField(max_length=64, default="")
    erased_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_person"
        unique_together = (("community_id", "account_id"),)
        indexes = (
            Index(fields=("community_id", "phone_index")),
            Index(fields=("community_id", "id_number_index")),
        )


class ConsentRecord(Model):
    """A person agreed to something (PIPL), and perhaps took it back."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    person: fields.ForeignKeyRelation[Person] = fields.ForeignKeyField(
        "business.Person", related_name="consents"
    )
    purpose = fields.CharField(max_length=40)
    version = fields.CharField(max_length=20)
    granted_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "business_consent_record"


class Reveal(Model):
    """Somebody looked at a sealed field in clear. For the limits; the audit tells the rest."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField()
    at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "business_reveal"
        indexes = (Index(fields=("account_id", "at")),)
