"""The journal as it came from stations: append-only."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from foundation.ids import new_id


class DeviceEvent(Model):
    """One event of one station. (device, box, seq) is unique: a repeat changes nothing."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    device_id = fields.UUIDField()
    box = fields.IntField()
    """Which box at that place wrote it (`Device.box`): a replacement's journal begins at 1."""
    community_id = fields.UUIDField()
    seq = fields.BigIntField()
    boot = fields.BigIntField()
    at = fields.DatetimeField()
    """By the station's clock when trusted (`clk` ok), else when we received it."""
    clk = fields.CharField(max_length=10)
    received_at = fields.DatetimeField()
    type = fields.CharField(max_length=40)
    door = fields.SmallIntField()
    result = fields.CharField(max_length=64, null=True)
    reason = fields.CharField(max_length=64, null=True)
    kind = fields.CharField(max_length=64, null=True)
    cid = fields.CharField(max_length=64, null=True)
    house_id = fields.UUIDField(null=True)
    cmd_id = fields.CharField(max_length=64, null=True, db_index=True)
    opening = fields.BooleanField(default=False)
    """Belongs in 开门记录: somebody opened, or tried to, without a command row of ours."""
    more = fields.JSONField(null=True)
    """The rest of the event: value_hash, call_id, acl, snap, hold_ms, duration_ms, lost, ts."""

    class Meta:
        table = "registry_device_event"
        unique_together = (("device_id", "box", "seq"),)
        indexes = (
            Index(fields=("community_id", "opening", "at")),
            Index(fields=("device_id", "at")),
            Index(fields=("house_id", "at")),
        )


class JournalHead(Model):
    """How far the journal of a box is stored without a hole: what it may forget."""

    device_id = fields.UUIDField(primary_key=True)
    box = fields.IntField()
    upto = fields.BigIntField()

    class Meta:
        table = "registry_journal_head"
