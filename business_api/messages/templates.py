"""Every kind of message there is. Add yours here: `noun.verb`, both languages.

Names of people may be parameters; telephone and ID numbers and codes never. A name is what
somebody says it is: it stands in quotation marks, after words of ours.
"""

from collections.abc import Mapping
from typing import Final

from business_api.messages.kinds import Group, Template, UnknownMessage, Words
from business_api.messages.models import Channel

SMS, PUSH, WECHAT = Channel.SMS, Channel.WEB_PUSH, Channel.WECHAT
_APPS: Final = frozenset({PUSH, WECHAT})

TEMPLATES: Final[Mapping[str, Template]] = {
    "certification.submitted": Template(
        Group.WORK,
        Words("房屋认证待审核", "A certification waits for review"),
        Words(
            "有人申请认证{house}，自称“{name}”，请审核。",
            'Somebody called "{name}" applies for {house}. Please review.',
        ),
        _APPS,
        refs=frozenset({"certification_id"}),
    ),
    "certification.asked": Template(
        Group.HOME,
        Words("有人申请加入您的房屋", "Somebody wants to join your house"),
        Words(
            "有人申请加入{house}，自称“{name}”。如非本人同意，请在APP中拒绝，不要把验证码告诉对方。",
            'Somebody called "{name}" wants to join {house}. If you do not agree, refuse it in the '
            "app, and tell nobody the code.",
        ),
        _APPS,
        refs=frozenset({"certification_id"}),
    ),
    "certification.joined": Template(
        Group.HOME,
        Words("房屋新增住户", "Somebody has joined your house"),
        Words(
            "新住户“{name}”已通过认证，加入{house}。",
            'A new resident, "{name}", is certified for {house}.',
        ),
        _APPS,
        refs=frozenset({"certification_id"}),
    ),
    "certification.refused": Template(
        Group.HOME,
        Words("业主未同意您的申请", "The owner did not agree"),
        Words("业主未同意您加入{house}的申请。", "An owner did not agree to your joining {house}."),
        _APPS,
        refs=frozenset({"certification_id"}),
    ),
    "certification.approved": Template(
        Group.HOME,
        Words("房屋认证已通过", "Your certification is approved"),
        Words("您对{house}的认证已通过审核。", "You are certified for {house}."),
        _APPS | {SMS},
        refs=frozenset({"certification_id"}),
    ),
    "certification.rejected": Template(
        Group.HOME,
        Words("房屋认证未通过", "Your certification is rejected"),
        Words(
            "您对{house}的认证未通过审核：{reason}。可修改后重新申请。",
            "Your certification for {house} was rejected: {reason}. You may apply again.",
        ),
        _APPS | {SMS},
        refs=frozenset({"certification_id"}),
    ),
    "certification.revoked": Template(
        Group.HOME,
        Words("房屋认证已撤销", "Your certification is revoked"),
        Words(
            "您对{house}的认证已被撤销：{reason}。相关门禁权限已失效。",
            "Your certification for {house} was revoked: {reason}. Its doors no longer open.",
        ),
        _APPS | {SMS},
        urgent=True,
        refs=frozenset({"certification_id"}),
    ),
}


def template(kind: str) -> Template:
    """The kind of message called `kind`.

    Raises:
        UnknownMessage: there is none.
    """
    try:
        return TEMPLATES[kind]
    except KeyError:
        raise UnknownMessage(kind[:60]) from None
