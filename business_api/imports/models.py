"""Tables of the imports."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from business_api.authz.scope import ScopeType, Site
from business_api.tenancy import COLUMNS
from foundation.ids import new_id


class ImportState(StrEnum):
    """Where an import is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # as a whole: `failure` says why; chunks already done stay
    CANCELLED = "cancelled"  # chunks already done stay


UNFINISHED: Final = (ImportState.QUEUED, ImportState.RUNNING)


class ImportJob(Model):
    """One uploaded workbook, at the level of the tenant tree that its kind belongs to.

    `done` is how many rows have been worked through, and moves with each chunk in the
    chunk's own transaction.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = COLUMNS

    id = fields.UUIDField(primary_key=True, default=new_id)
    operator_id = fields.UUIDField(null=True, db_index=True)
    company_id = fields.UUIDField(null=True, db_index=True)
    community_id = fields.UUIDField(null=True, db_index=True)
    kind = fields.CharField(max_length=40)
    state = fields.CharEnumField(ImportState, max_length=12, default=ImportState.QUEUED)
    dry_run = fields.BooleanField(default=False)
    size = fields.IntField()
    """Bytes of the workbook."""
    total = fields.IntField(null=True)
    """Rows in it; null until it has been opened."""
    done = fields.IntField(default=0)
    created = fields.IntField(default=0)
    updated = fields.IntField(default=0)
    unchanged = fields.IntField(default=0)
    refused = fields.IntField(default=0)
    failure = fields.CharField(max_length=40, default="")
    failure_detail = fields.CharField(max_length=300, default="")
    attempts = fields.IntField(default=0)
    """Begun so often since the last chunk was done."""
    created_by = fields.UUIDField()
    created_at = fields.DatetimeField()
    started_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "business_import_job"

    @property
    def site(self) -> Site:
        """For decisions."""
        return Site(self.operator_id, self.company_id, self.community_id)


class ImportPart(Model):
    """A piece of an uploaded workbook, sealed: it may hold passwords and ID numbers."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    import_id = fields.UUIDField()
    seq = fields.IntField()
    sealed = fields.BinaryField()
    created_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "business_import_part"
        unique_together = (("import_id", "seq"),)


class ImportFault(Model):
    """A row that was refused, and why; never what stood in it."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    import_id = fields.UUIDField()
    line = fields.IntField()
    """Its row in the sheet, from 1, as a spreadsheet shows it."""
    reasons = fields.JSONField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "business_import_fault"
        unique_together = (("import_id", "line"),)
        indexes = (Index(fields=("created_at",)),)
