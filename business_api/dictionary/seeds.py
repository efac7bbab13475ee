"""The lists that the product itself asks for: written once, then the super admin's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api.dictionary.models import DictItem, DictType
from foundation.clock import Clock, utc_now

log = structlog.get_logger()

Names = tuple[str, str]
"""Chinese, English."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A list and the words it begins with, in order."""

    name: Names
    items: Mapping[str, Names]


SEEDS: Final[Mapping[str, Seed]] = {
    "ad_slot": Seed(  # F6
        ("广告位", "Advertisement slot"),
        {
            "app_home": ("APP 首页轮播", "App, home page"),
            "app_notices": ("APP 公告页", "App, notices"),
            "app_repairs": ("APP 报修页", "App, repairs"),
            "app_shops": ("APP 商家页", "App, shops"),
            "station_idle": ("门口机待机", "Door station, idle"),
        },
    ),
    "merchant_category": Seed(  # F11
        ("店铺分类", "Shop category"),
        {
            "grocery": ("超市便利", "Groceries"),
            "food": ("餐饮美食", "Food"),
            "housekeeping": ("家政服务", "Housekeeping"),
            "laundry": ("洗衣", "Laundry"),
            "education": ("教育培训", "Education"),
            "health": ("医疗健康", "Health"),
            "pets": ("宠物", "Pets"),
            "other": ("其他", "Other"),
        },
    ),
    "contact_department": Seed(  # F30
        ("联系部门", "Contact department"),
        {
            "service_centre": ("物业服务中心", "Service centre"),
            "security": ("保安", "Security"),
            "maintenance": ("维修", "Maintenance"),
            "cleaning": ("保洁", "Cleaning"),
            "finance": ("财务收费", "Finance"),
            "emergency": ("应急值班", "Emergency"),
        },
    ),
}


async def plant(clock: Clock = utc_now) -> int:
    """Write the lists that are not there yet; how many. One statement when all are.

    A list that is there is left as it is: words that somebody deleted stay deleted. Any
    number of processes may do it at once.
    """
    known = {row["code"] for row in await DictType.all().values("code")}
    missing = [code for code in SEEDS if code not in known]
    planted = 0
    for code in missing:  # at the first start only
        planted += await _plant(code, SEEDS[code], clock)
    if planted:
        log.info("dictionary.seeds.planted", types=planted)
    return planted


async def _plant(code: str, seed: Seed, clock: Clock) -> bool:
    """Whether it was not another process that did."""
    now = clock()
    zh, en = seed.name
    row = DictType(code=code, name_zh=zh, name_en=en, builtin=True, created_at=now)
    try:
        async with in_transaction():
            await row.save(force_create=True)
            await DictItem.bulk_create(
                DictItem(type=row, code=word, name_zh=zh, name_en=en, sort=sort, created_at=now)
                for sort, (word, (zh, en)) in enumerate(seed.items.items(), start=1)
            )
    except IntegrityError:
        return False
    return True
