"""What of messages is over: old ones, and all that belongs to an account that was deleted."""

from typing import Final

from tortoise.expressions import Q, Subquery

from business_api.accounts.models import Account
from business_api.messages.models import (
    Message,
    MessagePreference,
    PushSubscription,
    QuietHours,
    WeChatBinding,
)
from foundation.runner import Context

_AT_ONCE: Final = 500
_OF_ACCOUNTS: Final = (MessagePreference, QuietHours, PushSubscription, WeChatBinding)


async def forget(context: Context) -> int:
    """Delete it; how many rows, deliveries not counted. Messages in small statements."""
    gone = Subquery(Account.filter(deleted_at__not_isnull=True).values("id"))
    deleted = 0
    for model in _OF_ACCOUNTS:
        deleted += await model.filter(account_id__in=gone).delete()
    before = context.clock() - context.settings.messages.keep
    for over in (Q(created_at__lt=before), Q(account_id__in=gone)):
        while ids := await Message.filter(over).limit(_AT_ONCE).values_list("id", flat=True):
            deleted += await Message.filter(id__in=ids).delete()
    return deleted
