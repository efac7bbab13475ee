"""Reading the messages that the local provider has kept, as their receiver would."""

import re

from business_api import phones
from business_api.sms import local
from foundation.runner import Context


async def texts_to(context: Context, phone: str) -> list[str]:
    """The texts sent to a number, newest first."""
    number = phones.normal(phone)
    return [kept.text for kept in await local.latest(context, 500) if kept.phone == number]


async def code_to(context: Context, phone: str) -> str:
    """The code in the newest text to a number."""
    texts = await texts_to(context, phone)
    assert texts, "nothing was sent to this number"
    found = re.search(r"\b[0-9]{6}\b", texts[0])
    assert found, "there is no code in the newest text"
    return found.group()
