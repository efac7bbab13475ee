"""Text messages: one port (`SmsSender`), and a provider behind it that the settings name."""

from business_api.sms.aliyun import AliyunSender
from business_api.sms.local import LocalSender
from business_api.sms.port import SmsSender
from foundation.runner import Context

__all__ = ["SmsSender", "sender"]


def sender(context: Context) -> SmsSender:
    """The provider of the settings. Costs nothing: neither holds anything open."""
    if context.settings.sms.provider == "aliyun":
        return AliyunSender(context.settings.sms, context.clock)
    return LocalSender(context)
