"""The columns that tell of a person, in the workbooks of houses and of residents."""

from collections.abc import Mapping
from typing import Final

from business_api import phones
from business_api.imports import cells
from business_api.imports.kinds import BadCell, Column, Reason, Words
from business_api.people.models import IdType
from business_api.phones import BadPhone

NOT_A_PHONE: Final = Reason("bad-phone", "电话号码格式不正确", "is not a telephone number")

ID_TYPES: Final[Mapping[IdType, Words]] = {
    IdType.RESIDENT_ID: Words("居民身份证", "Resident identity card"),
    IdType.PASSPORT: Words("护照", "Passport"),
    IdType.HK_MACAO: Words("港澳居民来往内地通行证", "Hong Kong/Macao travel permit"),
    IdType.TAIWAN: Words("台湾居民来往大陆通行证", "Taiwan travel permit"),
    IdType.FOREIGN_RESIDENCE: Words("外国人永久居留身份证", "Foreign permanent residence card"),
    IdType.OTHER: Words("其他", "Other"),
}


def _phone(cell: str) -> str:
    try:
        return phones.normal(cell)
    except BadPhone:
        raise BadCell(NOT_A_PHONE) from None


NAME: Final = "name"
PHONE: Final = "phone"
ID_TYPE: Final = "id_type"
ID_NUMBER: Final = "id_number"
CONSENT: Final = "consent"


def person(prefix: str, name: Words, *, required: bool) -> tuple[Column, ...]:
    """Name, document, phone and consent.

    Args:
        prefix: of the keys of the columns.
        name: the title of the name.
        required: of the name; where it is not, a row may tell of nobody.
    """
    return (
        Column(prefix + NAME, name, cells.text(80), required=required, example="张三"),
        Column(
            prefix + ID_TYPE, Words("证件类型", "Document"), choices=ID_TYPES, example="居民身份证"
        ),
        Column(
            prefix + ID_NUMBER,
            Words("证件号码", "Document number"),
            cells.text(40),
            note=Words("按文本填写，须经本人同意", "As text, and only with the person's consent"),
        ),
        Column(prefix + PHONE, Words("联系电话", "Phone"), _phone),
        Column(
            prefix + CONSENT,
            Words("同意登记证件", "Consent"),
            choices={True: Words("是", "yes")},
            note=Words(
                "本人已同意登记证件号码的告知内容",
                "The person has agreed to the text about keeping the number",
            ),
        ),
    )
