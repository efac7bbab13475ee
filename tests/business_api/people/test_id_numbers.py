"""Numbers of documents: what can be, what cannot, and how they are shown."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from business_api.people import id_numbers
from business_api.people.errors import BadIdNumber
from business_api.people.models import IdType

TODAY = date(2026, 5, 1)


def numbered(seventeen: str) -> str:
    """With its check digit, by ISO 7064 MOD 11-2 as it is defined: not as the code does it."""
    rest = 0
    for digit in seventeen:
        rest = (rest + int(digit)) * 2 % 11
    return seventeen + "0123456789X"[(12 - rest) % 11]


GOOD = [
    (IdType.RESIDENT_ID, "11010519491231002X", "11010519491231002X"),  # GB 11643-1999, annex
    (IdType.RESIDENT_ID, " 110105 19491231 002x ", "11010519491231002X"),
    (IdType.RESIDENT_ID, "440524188001010014", "440524188001010014"),  # GB 11643-1999, annex
    (IdType.PASSPORT, "e12345678", "E12345678"),
    (IdType.HK_MACAO, "H12345678", "H12345678"),
    (IdType.HK_MACAO, "m1234567801", "M1234567801"),
    (IdType.TAIWAN, "12345678", "12345678"),
    (IdType.TAIWAN, "1234567890B", "1234567890B"),
    (IdType.FOREIGN_RESIDENCE, "abc123456789012", "ABC123456789012"),
    (IdType.OTHER, "军字第1号".encode().hex()[:12], "E5869BE5AD97"),
]

BAD = [
    (IdType.RESIDENT_ID, "110105194912310021"),  # check digit
    (IdType.RESIDENT_ID, "11010519491231002"),  # 17
    (IdType.RESIDENT_ID, "110105491231002"),  # of 15 digits: not since 2013
    (IdType.RESIDENT_ID, numbered("11010519490231002")),  # the 31st of February
    (IdType.RESIDENT_ID, numbered("11010520271231002")),  # not born yet
    (IdType.RESIDENT_ID, numbered("77010519491231002")),  # no such province
    (IdType.RESIDENT_ID, "１１０１０５１９４９１２３１００２X"),  # full width
    (IdType.RESIDENT_ID, ""),
    (IdType.PASSPORT, "E1"),
    (IdType.PASSPORT, "E12345\x0078"),
    (IdType.HK_MACAO, "X12345678"),
    (IdType.TAIWAN, "1234567"),
    (IdType.FOREIGN_RESIDENCE, "911124198108030024x"),
    (IdType.OTHER, "\ud800" * 5),
    (IdType.OTHER, "A" * 41),
    (IdType.OTHER, "9" * 10_000),
]


@pytest.mark.parametrize(("id_type", "typed", "kept"), GOOD)
def test_documents_there_can_be(id_type: IdType, typed: str, kept: str) -> None:
    assert id_numbers.check(id_type, typed, today=TODAY) == kept


@pytest.mark.parametrize(("id_type", "typed"), BAD)
def test_documents_there_cannot_be(id_type: IdType, typed: str) -> None:
    with pytest.raises(BadIdNumber) as error:
        id_numbers.check(id_type, typed, today=TODAY)
    assert str(error.value) == ""


@given(st.dates(date(1880, 1, 1), TODAY), st.integers(0, 999))
def test_one_wrong_digit_is_always_found(born: date, order: int) -> None:
    number = numbered(f"440106{born:%Y%m%d}{order:03}")
    assert id_numbers.check(IdType.RESIDENT_ID, number, today=TODAY) == number
    for at in range(17):
        wrong = str((int(number[at]) + 1) % 10)
        with pytest.raises(BadIdNumber):
            id_numbers.check(IdType.RESIDENT_ID, number[:at] + wrong + number[at + 1 :])


@given(st.sampled_from(IdType), st.text(max_size=60))
def test_no_text_does_harm(id_type: IdType, text: str) -> None:
    try:
        kept = id_numbers.check(id_type, text)
    except BadIdNumber:
        return
    assert kept.isascii()
    assert id_numbers.check(id_type, kept) == kept
    assert "*" in id_numbers.masked(kept)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("440305197203071234", "4403**********1234"),
        ("H12345678", "H1*****78"),
        ("ABC4", "A**4"),
    ],
)
def test_only_the_ends_are_shown(number: str, shown: str) -> None:
    assert id_numbers.masked(number) == shown
