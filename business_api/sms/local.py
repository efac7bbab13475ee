"""The provider of a machine without a contract: messages stay here, for whoever develops.

They can be read on `GET /developer/messages` and in the log. This is the one place where a
code is written to a log, and only with this provider (docs/security.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from business_api import phones
from business_api.language import Language
from business_api.sms import templates
from business_api.sms.models import SmsMessage
from business_api.sms.port import counted
from foundation.ids import new_id
from foundation.runner import Context

log = structlog.get_logger()

KEPT: Final = timedelta(days=1)
"""Then `housekeeping` forgets them."""


@dataclass(frozen=True, slots=True)
class LocalMessage:
    """One message, in clear."""

    phone: str
    template: str
    text: str
    sent_at: datetime


class LocalSender:
    """Keeps messages in the table, sealed with the master key."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def send(
        self, phone_e164: str, template: str, params: Mapping[str, str], language: Language
    ) -> None:
        """See `SmsSender`. One statement; never fails for reasons of its own."""
        with counted("local"):
            text = templates.render(template, params, language)
            id_ = new_id()
            await SmsMessage.create(
                id=id_,
                template=template,
                phone_sealed=self._context.keyring.seal(phone_e164.encode(), f"sms/{id_}/phone"),
                text_sealed=self._context.keyring.seal(text.encode(), f"sms/{id_}/text"),
                sent_at=self._context.clock(),
            )
        log.info("sms.message.kept", to=phones.masked(phone_e164), text=text)


async def latest(context: Context, limit: int = 50) -> list[LocalMessage]:
    """The messages kept last, newest first; one statement."""
    rows = await SmsMessage.all().order_by("-sent_at", "-id").limit(limit)
    return [
        LocalMessage(
            _opened(context, row.id, "phone", row.phone_sealed),
            row.template,
            _opened(context, row.id, "text", row.text_sealed),
            row.sent_at,
        )
        for row in rows
    ]


def _opened(context: Context, id_: UUID, field: str, sealed: bytes) -> str:
    return context.keyring.unseal(sealed, f"sms/{id_}/{field}").decode()
