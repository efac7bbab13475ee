"""Numbers of identity documents: one form for storage, checked as far as their rules go."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from business_api.people.errors import BadIdNumber
from business_api.people.models import IdType

_PROVINCES: Final = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
"""GB/T 2260, first two digits; 81-83 are on the residence permits (居住证) since 2018."""
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"
_EARLIEST: Final = 1880
_LONGEST: Final = 40

_SHAPES: Final[Mapping[IdType, re.Pattern[str]]] = {
    IdType.RESIDENT_ID: re.compile(r"[1-8][0-9]{16}[0-9X]"),
    IdType.PASSPORT: re.compile(r"[A-Z0-9]{5,17}"),
    # With or without the two digits that say how often it was renewed.
    IdType.HK_MACAO: re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?"),
    IdType.TAIWAN: re.compile(r"[0-9]{8}|[0-9]{10}[A-Z]?"),
    # Until 2023 three letters and twelve digits; since then like a resident's, from 9 on.
    IdType.FOREIGN_RESIDENCE: re.compile(r"[A-Z]{3}[0-9]{12}|9[0-9]{16}[0-9X]"),
    IdType.OTHER: re.compile(r"[A-Z0-9()/-]{4,32}"),
}


def check(id_type: IdType, number: str, *, today: date | None = None) -> str:
    """The number as it is stored: upper case, ASCII, without spaces.

    Args:
        id_type: the kind of document.
        number: as typed.
        today: nobody is born after it; None: not asked.

    Raises:
        BadIdNumber: no document of this kind has this number: its shape, and for numbers
            of 18 digits the check digit, the birth date and the province.

    Source:
        GB 11643-1999 (公民身份号码), check digit ISO 7064 MOD 11-2. The old numbers of 15
        digits ended with 2012.
    """
    text = "".join(number[:_LONGEST].split()).upper().replace("（", "(").replace("）", ")")
    if len(number) > _LONGEST or not _SHAPES[id_type].fullmatch(text):
        raise BadIdNumber
    if id_type is IdType.RESIDENT_ID and not _PROVINCES.match(text):
        raise BadIdNumber
    if len(text) == 18 and id_type in (IdType.RESIDENT_ID, IdType.FOREIGN_RESIDENCE):
        _check_digit(text)
        _birth(text, today)
    return text


def masked(number: str) -> str:
    """`number` with its middle hidden: 4403**********1234; short ones show less."""
    shown = 4 if len(number) >= 12 else 2 if len(number) >= 8 else 1
    return f"{number[:shown]}{'*' * (len(number) - 2 * shown)}{number[-shown:]}"


def _check_digit(text: str) -> None:
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text, strict=False))
    if _CHECK[total % 11] != text[17]:
        raise BadIdNumber


def _birth(text: str, today: date | None) -> None:
    """Digits 7 to 14 are the birth date, on both kinds of card."""
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        raise BadIdNumber from None
    if born.year < _EARLIEST or (today is not None and born > today):
        raise BadIdNumber
