"""Tables every room shares: the audit chain, jobs, the outbox, conditions."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from foundation.ids import new_id


class AuditEvent(Model):
    """One line of the hash chain: `hash` covers the line and `prev_hash`. Append-only."""

    seq = fields.BigIntField(primary_key=True, generated=False)
    at = fields.DatetimeField(db_index=True)
    actor = fields.CharField(max_length=80)
    action = fields.CharField(max_length=60, db_index=True)
    object = fields.CharField(max_length=120, db_index=True)
    operator_id = fields.UUIDField(null=True, db_index=True)
    company_id = fields.UUIDField(null=True, db_index=True)
    community_id = fields.UUIDField(null=True, db_index=True)
    facts = fields.JSONField()
    prev_hash = fields.CharField(max_length=64)
    hash = fields.CharField(max_length=64)

    class Meta:
        table = "audit_event"


class Job(Model):
    """Work to be done once, at or after `due_at`, by whoever leases it (`foundation.jobs`)."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    kind = fields.CharField(max_length=60)
    key = fields.CharField(max_length=120, null=True)
    slot = fields.CharField(max_length=181, null=True, unique=True)
    """Kind and key while unfinished, null after: at most one unfinished job of both."""
    again = fields.BooleanField(default=False)
    """It was wanted once more while it ran."""
    payload = fields.JSONField()
    due_at = fields.DatetimeField()
    leased_until = fields.DatetimeField(null=True)
    lease = fields.UUIDField(null=True)
    attempts = fields.IntField(default=0)
    error = fields.CharField(max_length=300, default="")
    done_at = fields.DatetimeField(null=True)
    failed_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "job"
        indexes = (Index(fields=("done_at", "failed_at", "due_at")),)


class OutboxMessage(Model):
    """Something to tell the outside world, written with the fact that causes it."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    topic = fields.CharField(max_length=60)
    key = fields.CharField(max_length=120)
    payload = fields.JSONField()
    attempts = fields.IntField(default=0)
    next_try = fields.DatetimeField()
    error = fields.CharField(max_length=300, default="")
    dead_at = fields.DatetimeField(null=True)
    """Given up: kept until somebody looks."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "outbox_message"
        indexes = (Index(fields=("dead_at", "next_try")),)


class Condition(Model):
    """Something is wrong now: one row per (kind, subject) that was ever wrong."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    kind = fields.CharField(max_length=40)
    subject = fields.CharField(max_length=80)
    community_id = fields.UUIDField(null=True)
    detail = fields.CharField(max_length=300, default="")
    since = fields.DatetimeField()
    cleared_at = fields.DatetimeField(null=True)

    class Meta:
        table = "condition"
        unique_together = (("kind", "subject"),)
        indexes = (Index(fields=("cleared_at", "community_id")),)
