"""Messages that the local provider keeps instead of sending them."""

from tortoise import fields
from tortoise.models import Model

from foundation.ids import new_id


class SmsMessage(Model):
    """A message that nobody carried anywhere. Both texts are sealed: codes are in them."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    template = fields.CharField(max_length=40)
    phone_sealed = fields.BinaryField()
    text_sealed = fields.BinaryField()
    sent_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "business_sms_message"
