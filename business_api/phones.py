"""Telephone numbers: one form for storage and comparison, one for eyes that need not know."""

import re
from typing import Final

import phonenumbers

from foundation.errors import DomainError, Kind

_HOME: Final = "CN"
_LONGEST: Final = 40
_DIALLED: Final = re.compile(r"\+?[0-9 ()-]{5,30}")


class BadPhone(DomainError):
    """This cannot be a telephone number."""

    kind, code, title = Kind.INVALID, "bad-phone", "Not a telephone number"
    title_zh = "电话号码格式不正确"


def normal(typed: str) -> str:
    """The number in E.164, e.g. +8613800138000; without a country, one of mainland China.

    Raises:
        BadPhone: no telephone number has this form.
    """
    try:
        number = phonenumbers.parse(typed[:_LONGEST], _HOME)
    except phonenumbers.NumberParseException:
        raise BadPhone from None
    if not phonenumbers.is_valid_number(number):
        raise BadPhone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normal_mobile(typed: str) -> str:
    """The same, for a number that can receive messages.

    Raises:
        BadPhone: not a number, or a landline.
    """
    number = phonenumbers.parse(normal(typed))
    mobile = (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    )
    if phonenumbers.number_type(number) not in mobile:
        raise BadPhone("a mobile number is needed")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def dialled(typed: str) -> str | None:
    """The number (E.164), if what was typed is a mobile number and nothing else; None: a name.

    `normal` also finds a number inside of other text, which a username may be.
    """
    if not _DIALLED.fullmatch(typed.strip()):
        return None
    try:
        return normal_mobile(typed.strip())
    except BadPhone:
        return None


def masked(phone: str) -> str:
    """`phone` (E.164) with its middle hidden: 138****8000."""
    home = phone.removeprefix("+86")
    return f"{home[:3]}****{home[-4:]}" if len(home) > 7 else "****"
