"""The texts of our messages. A provider in China sends approved ones only, under its own codes.

`local` renders these; `LINLI_SMS__TEMPLATES` maps each name (or `{name}.en`) to the code under
which the provider has approved the same text.
"""

from collections.abc import Mapping
from typing import Final

from business_api.language import Language

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "code_register": (
        "【邻里】注册验证码 {code}，{minutes} 分钟内有效。请勿告诉任何人。",
        "[linli] {code} is your code to register, good for {minutes} minutes. Tell it to nobody.",
    ),
    "code_sign_in": (
        "【邻里】登录验证码 {code}，{minutes} 分钟内有效。请勿告诉任何人。",
        "[linli] {code} is your code to sign in, good for {minutes} minutes. Tell it to nobody.",
    ),
    "code_password": (
        "【邻里】设置密码验证码 {code}，{minutes} 分钟内有效。非本人操作请忽略。",
        (
            "[linli] {code} is your code to set a password, good for {minutes} minutes. "
            "Ignore it if you did not ask."
        ),
    ),
    "code_phone": (
        "【邻里】更换手机号验证码 {code}，{minutes} 分钟内有效。请勿告诉任何人。",
        (
            "[linli] {code} is your code to change your number, good for {minutes} minutes. "
            "Tell it to nobody."
        ),
    ),
    "code_delete": (
        "【邻里】注销账号验证码 {code}，{minutes} 分钟内有效。请勿告诉任何人。",
        (
            "[linli] {code} is your code to delete your account, good for {minutes} minutes. "
            "Tell it to nobody."
        ),
    ),
    "code_certification": (
        (
            "【邻里】有人申请加入您的房屋，验证码 {code}，{minutes} 分钟内有效。"
            "仅在您同意时告诉申请人。"
        ),
        (
            "[linli] Somebody applies to join your house. The code is {code}, good for {minutes} "
            "minutes. Give it to the applicant only if you agree."
        ),
    ),
    "have_account": (
        "【邻里】您的手机号已注册账号，请直接登录。非本人操作请忽略。",
        (
            "[linli] There is an account with your number already: sign in. "
            "Ignore this if you did not ask."
        ),
    ),
    "no_account": (
        (
            "【邻里】您的手机号不能用短信登录：请先注册，工作人员请使用用户名和密码。"
            "非本人操作请忽略。"
        ),
        (
            "[linli] You cannot sign in by message with your number: register first; staff use "
            "username and password. Ignore this if you did not ask."
        ),
    ),
    "number_taken": (
        "【邻里】有人想把账号的手机号改为您的号码，但该号码已有账号。非本人操作请忽略。",
        (
            "[linli] Somebody wants to move an account to your number, which has one already. "
            "Ignore this if you did not ask."
        ),
    ),
    "phone_changed": (
        "【邻里】您的账号已改用其他手机号。非本人操作请联系物业。",
        (
            "[linli] Your account now has another number. "
            "If it was not you, tell the property management."
        ),
    ),
}
"""By name: Chinese, English."""

_FREE: Final = ("【邻里】{text}", "[linli] {text}")


def render(template: str, params: Mapping[str, str], language: Language) -> str:
    """The text of a message. A template that is not ours brings its own, as `text`.

    Raises:
        KeyError: a parameter is missing: a mistake of ours.
    """
    chinese, english = TEXTS.get(template, _FREE)
    return (english if language == "en" else chinese).format_map(params)
