"""What people are asked to agree to, word for word. A changed text is a new version."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Purpose(StrEnum):
    """What sensitive personal data (PIPL, Art. 28) are kept for."""

    ID_NUMBER = "id_number"
    FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What is shown before somebody agrees. `version` is recorded with the consent."""

    version: str
    zh: str
    en: str


TEXTS: Final[Mapping[Purpose, ConsentText]] = {
    Purpose.ID_NUMBER: ConsentText(
        "1",
        "我同意小区物业登记我的证件号码，仅用于核实住户身份。证件号码加密保存，查看须说明理由并留有记录。"
        "我可以随时撤回同意，撤回后证件号码即被删除，不影响我进出小区。",
        "I agree that the property management keeps the number of my identity document, only to "
        "verify who lives here. It is stored encrypted; whoever looks at it must give a reason, "
        "which is recorded. I may withdraw this at any time: the number is deleted then, and my "
        "access to the community is not affected.",
    ),
    Purpose.FINGERPRINT: ConsentText(
        "1",
        "我同意采集我的指纹特征，仅用于开启我有权通行的门。指纹特征只保存在门口机和本平台，不作他用；"
        "我也可以选择使用门禁卡、密码或手机开门。我可以随时撤回同意，撤回或迁出后指纹特征即被销毁。",
        "I agree that templates of my fingerprints are taken, only to open the doors I may pass. "
        "They stay on the stations and on this platform and serve nothing else; I may use a card, "
        "a code or the phone instead. I may withdraw this at any time: the templates are "
        "destroyed then, and when I move out.",
    ),
}
