"""What an account was told, as it reads it."""

from datetime import datetime
from uuid import UUID

from tortoise.expressions import Q

from business_api.actors import Actor
from business_api.language import Language
from business_api.messages.models import Message
from business_api.messages.schemas import MessageOut
from business_api.messages.templates import TEMPLATES
from business_api.paging import Paged
from foundation.errors import DomainError, Kind
from foundation.runner import Context

_KNOWN = Q(kind__in=list(TEMPLATES))
"""A kind that an older version told cannot be shown any more."""


class NoSuchMessage(DomainError):
    """No message to you has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-message", "There is no such message"
    title_zh = "消息不存在"


async def listed(
    actor: Actor, paged: Paged, language: Language, *, unread: bool
) -> tuple[list[MessageOut], int]:
    """One page of the actor's messages, the latest first, and how many there are.

    Two statements.
    """
    mine = Message.filter(_KNOWN, account_id=actor.account_id)
    if unread:
        mine = mine.filter(read_at=None)
    rows = await mine.order_by("-id").offset(paged.offset).limit(paged.size)
    return [shown(row, language) for row in rows], await mine.count()


async def unread(actor: Actor) -> int:
    """How many messages the actor has not read. One statement."""
    return await Message.filter(_KNOWN, account_id=actor.account_id, read_at=None).count()


async def mark_read(context: Context, actor: Actor, message_id: UUID) -> None:
    """Note that the actor has read one. Once more changes nothing.

    Raises:
        NoSuchMessage: not one to the actor.
    """
    mine = Message.filter(id=message_id, account_id=actor.account_id)
    if await mine.filter(read_at=None).update(read_at=context.clock()):
        return
    if not await mine.exists():
        raise NoSuchMessage


async def mark_all_read(context: Context, actor: Actor, until: datetime | None) -> int:
    """Note that the actor has read all, or all it was told up to `until`; how many were new."""
    mine = Message.filter(account_id=actor.account_id, read_at=None)
    if until is not None:
        mine = mine.filter(created_at__lte=until)
    return await mine.update(read_at=context.clock())


def shown(message: Message, language: Language) -> MessageOut:
    """A message in words. Of a kind that there is."""
    template = TEMPLATES[message.kind]
    # A parameter that newer words want and this message has not is left out.
    params = dict.fromkeys(template.params, "") | message.params
    title, body = template.render(params, language)
    return MessageOut(
        id=message.id,
        kind=message.kind,
        group=template.group,
        urgent=template.urgent,
        title=title,
        body=body,
        refs={name: params[name] for name in sorted(template.refs)},
        created_at=message.created_at,
        read_at=message.read_at,
    )
