"""Deliveries made ready: the words in the reader's language, and whether they still matter.

What was decided when the message was routed is asked again: hours may lie between.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from business_api.accounts.models import Account
from business_api.language import Language
from business_api.messages import wants
from business_api.messages.channels import Letter, Outcome, dead, put_off, skipped
from business_api.messages.kinds import WrongParams
from business_api.messages.models import Delivery, Message
from business_api.messages.templates import TEMPLATES
from business_api.messages.wants import Wants
from foundation.runner import Context

Ready = tuple[list[Letter], dict[UUID, Outcome]]

CRASHED: Final = "crashed"


async def prepare(context: Context, batch: Sequence[Delivery]) -> Ready:
    """The letters to send, and the outcome of what need not be sent. Four statements."""
    accounts = {delivery.account_id for delivery in batch}
    messages = await Message.in_bulk([_message_id(delivery) for delivery in batch], "id")
    readers = await Account.filter(id__in=list(accounts), disabled_at=None).values_list(
        "id", "language"
    )
    languages = dict(readers)
    wishes = await wants.of_accounts(accounts)
    letters: list[Letter] = []
    outcomes: dict[UUID, Outcome] = {}
    for delivery in batch:
        if delivery.attempts > context.settings.messages.attempts:
            # It took the process down each time.
            outcomes[delivery.id] = dead(CRASHED)
            continue
        message = messages.get(_message_id(delivery))
        language = languages.get(delivery.account_id)
        if message is None or language is None:
            outcomes[delivery.id] = skipped("account")
            continue
        found = _judge(context, delivery, message, wishes) or _letter(delivery, message, language)
        if isinstance(found, Letter):
            letters.append(found)
        else:
            outcomes[delivery.id] = found
    return letters, outcomes


def _judge(context: Context, delivery: Delivery, message: Message, wishes: Wants) -> Outcome | None:
    """Why it does not go out now; None: it does."""
    template = TEMPLATES.get(message.kind)
    if template is None:
        return dead("unknown_kind")
    now: datetime = context.clock()
    if message.created_at < now - context.settings.messages.deliver_within:
        return dead("late")
    if not wishes.through(message.account_id, template, delivery.channel):
        return skipped("muted")
    if message.read_at is not None and not template.urgent:
        return skipped("read")
    due = wishes.not_before(message.account_id, template, now)
    return put_off("quiet", due - now) if due > now else None


def _letter(delivery: Delivery, message: Message, language: str) -> Letter | Outcome:
    template = TEMPLATES[message.kind]
    reads = cast(Language, language if language == "en" else "zh")
    try:
        title, body = template.render(message.params, reads)
    except WrongParams:
        return dead("params")
    return Letter(
        id=delivery.id,
        message_id=message.id,
        account_id=message.account_id,
        target=delivery.target,
        kind=message.kind,
        params=message.params,
        language=reads,
        title=title,
        body=body,
        urgent=template.urgent,
    )


def _message_id(delivery: Delivery) -> UUID:
    return cast(UUID, delivery.message_id)  # type: ignore[attr-defined]
