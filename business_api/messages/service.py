"""The worker with all its channels, for `background`."""

from business_api.messages.channels import Port
from business_api.messages.push.channel import PushChannel
from business_api.messages.sms_channel import SmsChannel
from business_api.messages.wechat_channel import WeChatChannel
from business_api.messages.worker import Postman
from foundation.runner import Context


def postman(context: Context) -> Postman:
    """Routes and delivers; without a WeChat mini program nothing goes there."""
    channels: list[Port] = [SmsChannel(context), PushChannel(context)]
    if context.settings.wechat.app_id:
        channels.append(WeChatChannel(context))
    return Postman(context, channels)
