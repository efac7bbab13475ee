"""Files, and what they belong to."""

from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from business_api.authz.scope import Site
from foundation.ids import new_id


class FileKind(StrEnum):
    """What a file is, found out from its content."""

    IMAGE = "image"
    PDF = "pdf"
    VIDEO = "video"


class StoredFile(Model):
    """A file in the store, under `files/{id}`; an image's small form under `thumbnails/{id}`.

    Until it is attached only who sent it may see it. Attached, it may be seen by whoever
    holds the permission `view` at its site.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField()
    name = fields.CharField(max_length=120)
    kind = fields.CharEnumField(FileKind, max_length=8)
    media_type = fields.CharField(max_length=40)
    size = fields.BigIntField()
    sha256 = fields.CharField(max_length=64)
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    has_thumbnail = fields.BooleanField(default=False)
    attached_to = fields.CharField(max_length=80, null=True, db_index=True)
    """`{noun}/{id}` of what it belongs to."""
    place = fields.IntField(default=0)
    """Its place among the files of the same thing."""
    view = fields.CharField(max_length=40, default="")
    operator_id = fields.UUIDField(null=True)
    company_id = fields.UUIDField(null=True)
    community_id = fields.UUIDField(null=True)
    building_id = fields.UUIDField(null=True)
    house_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "business_stored_file"
        indexes = (
            Index(fields=("account_id", "attached_to")),
            Index(fields=("attached_to", "created_at")),
        )

    @property
    def site(self) -> Site:
        """Of the thing it belongs to."""
        return Site(
            self.operator_id, self.company_id, self.community_id, self.building_id, self.house_id
        )


class UploadClaim(Model):
    """The place of an upload under way among its account's unused files, under the same id.

    A table of its own: nobody can see or attach what is not there yet. It ends with the
    upload, however that ends; one of a process that died is deleted later, with its bytes.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField(db_index=True)
    size = fields.BigIntField(default=0)
    """Bytes it may come to; 0 until its kind is known."""
    created_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "business_upload_claim"
