"""The columns of owners in the workbook of houses."""

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


COLUMNS: Final = (
    Column("owner_name", Words("业主姓名", "Owner"), cells.text(80), example="张三"),
    Column("owner_id_type", Words("证件类型", "Document"), choices=ID_TYPES, example="居民身份证"),
    Column(
        "owner_id_number",
        Words("证件号码", "Document number"),
        cells.text(40),
        note=Words("按文本填写，须经本人同意", "As text, and only with the owner's consent"),
    ),
    Column("owner_phone", Words("联系电话", "Phone"), _phone),
    Column(
        "owner_consent",
        Words("同意登记证件", "Consent"),
        choices={True: Words("是", "yes")},
        note=Words(
            "业主已同意登记证件号码的告知内容",
            "The owner has agreed to the text about keeping the number",
        ),
    ),
)
