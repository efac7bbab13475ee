"""Messages that follow from a fact and that nobody waits for: by the outbox, with the fact.

For what a person must learn about the own account (a new password, another number). What is
told about anything else is `messages`.
"""

from collections.abc import Mapping
from typing import Any, Final

from business_api import sms
from business_api.language import Language
from foundation import outbox
from foundation.ids import new_ulid
from foundation.runner import Context

TOPIC: Final = "sms"


async def post(context: Context, phone_e164: str, template: str, language: Language) -> None:
    """Want a message sent, in the caller's transaction. Kick `outbox` after it.

    At least once: a process that dies between sending and noting it sends it again. The
    number waits sealed.
    """
    key = new_ulid()
    payload = {
        "phone": context.keyring.seal(phone_e164.encode(), f"sms-notice/{key}").hex(),
        "template": template,
        "language": language,
    }
    await outbox.post(TOPIC, key, payload, clock=context.clock)


def deliveries(context: Context) -> Mapping[str, outbox.Handler]:
    """The handler, for `background`."""

    async def send(key: str, payload: dict[str, Any]) -> None:
        sealed = bytes.fromhex(payload["phone"])
        phone = context.keyring.unseal(sealed, f"sms-notice/{key}").decode()
        language: Language = "en" if payload["language"] == "en" else "zh"
        await sms.sender(context).send(phone, payload["template"], {}, language)

    return {TOPIC: send}
