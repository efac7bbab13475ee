"""What is told to whom, how it goes out, and what each person wants of it."""

from enum import IntEnum, StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from foundation.ids import new_id


class Channel(StrEnum):
    """Ways out, besides the app itself, where every message is."""

    SMS = "sms"
    WEB_PUSH = "web_push"
    WECHAT = "wechat"


class Lane(IntEnum):
    """What goes first when much waits. See `lanes.shares`."""

    URGENT = 0
    FEW = 1
    MANY = 2
    """Told to many at once: a notice to a whole community does not hold up a single word."""


class DeliveryState(StrEnum):
    """Of one delivery."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"  # at least once; it is tried again
    SKIPPED = "skipped"  # not wanted, or not possible, any more
    DEAD = "dead"  # given up


class Message(Model):
    """Something an account was told. What it says is rendered when it is read or sent."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField()
    kind = fields.CharField(max_length=60)
    key = fields.CharField(max_length=120)
    params = fields.JSONField()
    lane = fields.IntEnumField(Lane)
    round = fields.BigIntField(null=True)
    """The round of routing that has decided where it goes; null before. Rounds commit in
    their order, so whoever has seen round n misses nothing by asking for later ones."""
    created_at = fields.DatetimeField(db_index=True)
    read_at = fields.DatetimeField(null=True)

    class Meta:
        table = "business_message"
        unique_together = (("account_id", "kind", "key"),)
        indexes = (Index(fields=("account_id", "id")), Index(fields=("round", "lane", "id")))


class RoutingRound(Model):
    """One row: the number of the last round. Its lock makes rounds commit one by one."""

    id = fields.IntField(primary_key=True, generated=False)
    number = fields.BigIntField(default=0)

    class Meta:
        table = "business_routing_round"


class Delivery(Model):
    """One message on its way through one channel, to one target of it.

    `next_try` is null when nothing more is to be done; while somebody works on it, it is
    the end of the lease.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    message: fields.ForeignKeyRelation[Message] = fields.ForeignKeyField(
        "business.Message", related_name="deliveries", on_delete=fields.OnDelete.CASCADE
    )
    account_id = fields.UUIDField()
    channel = fields.CharEnumField(Channel, max_length=12)
    target = fields.CharField(max_length=36, default="")
    """The push subscription; empty where an account has only one address."""
    lane = fields.IntEnumField(Lane)
    state = fields.CharEnumField(DeliveryState, max_length=8, default=DeliveryState.WAITING)
    attempts = fields.IntField(default=0)
    next_try = fields.DatetimeField(null=True)
    lease = fields.UUIDField(null=True)
    error = fields.CharField(max_length=40, default="")
    sent_at = fields.DatetimeField(null=True)

    class Meta:
        table = "business_message_delivery"
        unique_together = (("message", "channel", "target"),)
        indexes = (
            Index(fields=("channel", "lane", "next_try")),
            Index(fields=("state", "channel")),
        )


class MessagePreference(Model):
    """An account wants a group of messages through a channel, or does not."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField()
    group = fields.CharField(max_length=20)
    channel = fields.CharEnumField(Channel, max_length=12)
    on = fields.BooleanField()

    class Meta:
        table = "business_message_preference"
        unique_together = (("account_id", "group", "channel"),)


class QuietHours(Model):
    """When an account is not to be disturbed: minutes of its day, over midnight if need be."""

    account_id = fields.UUIDField(primary_key=True)
    begin = fields.IntField()
    end = fields.IntField()
    zone = fields.CharField(max_length=40)

    class Meta:
        table = "business_quiet_hours"


class PushSubscription(Model):
    """A browser that shows messages (RFC 8030), of one sign-in.

    Who knows the endpoint can send to it, so it is sealed like the browser's secret.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    account_id = fields.UUIDField()
    session_id = fields.UUIDField()
    endpoint_sealed = fields.BinaryField()
    endpoint_index = fields.CharField(max_length=64, db_index=True)
    key_sealed = fields.BinaryField()
    """The browser's public key (65 bytes) and secret (16 bytes)."""
    host = fields.CharField(max_length=253)
    agent = fields.CharField(max_length=200, default="")
    failures = fields.IntField(default=0)
    """In a row; too many and it is forgotten."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "business_push_subscription"
        unique_together = (("account_id", "endpoint_index"),)


class WeChatBinding(Model):
    """Who an account is for our mini program. One person there, one account here."""

    account_id = fields.UUIDField(primary_key=True)
    openid_sealed = fields.BinaryField()
    openid_index = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "business_wechat_binding"
