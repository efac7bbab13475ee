"""The table behind `Idempotency-Key`."""

from tortoise import fields
from tortoise.models import Model

from foundation.ids import new_id


class IdempotencyRecord(Model):
    """The answer once given to (actor, route, key); a repeated request gets it again."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    actor_id = fields.UUIDField()
    route = fields.CharField(max_length=120)
    key = fields.CharField(max_length=80)
    request_hash = fields.CharField(max_length=64)
    status = fields.IntField(null=True)
    response = fields.JSONField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True, db_index=True)

    class Meta:
        table = "business_idempotency_record"
        unique_together = (("actor_id", "route", "key"),)
