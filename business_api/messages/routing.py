"""Deciding where messages go besides the app: set by set, each set in one transaction.

A set that a killed process was at is as it was before, and the next one takes it: nobody is
missed, nothing goes out twice for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from prometheus_client import Counter
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from business_api.accounts.models import Account
from business_api.messages import lanes, wants
from business_api.messages.models import (
    Channel,
    Delivery,
    Message,
    PushSubscription,
    RoutingRound,
    WeChatBinding,
)
from business_api.messages.templates import TEMPLATES
from foundation.runner import Context

OUT: Final = "messages/out"
"""Kicked when there is something for the channels."""
LIVE: Final = "messages/live"
"""Kicked when there is something for open apps."""

DELIVERIES = Counter(
    "messages_deliveries_total", "Deliveries, by channel and outcome.", ["channel", "outcome"]
)

_ROWS: Final = 500
"""In one INSERT of deliveries."""


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Where accounts can be reached."""

    phones: frozenset[UUID]
    browsers: dict[UUID, list[str]]
    wechat: frozenset[UUID]

    def targets(self, account_id: UUID, channel: Channel) -> Sequence[str]:
        match channel:
            case Channel.WEB_PUSH:
                return self.browsers.get(account_id, ())
            case Channel.SMS:
                return ("",) if account_id in self.phones else ()
            case Channel.WECHAT:
                return ("",) if account_id in self.wechat else ()


async def route(context: Context) -> int:
    """Route one set of messages; how many. 0: there is nothing to do.

    About a dozen statements for a thousand messages.
    """
    if not await Message.exists(round=None):
        return 0
    async with in_transaction():
        unrouted = Message.filter(round=None).only("id", "account_id", "kind", "lane")
        batch = await lanes.first(unrouted, context.settings.messages.batch, "id")
        deliveries = await _deliveries(context, batch)
        if deliveries:
            await Delivery.bulk_create(deliveries, batch_size=_ROWS)
        if batch:
            number = await _next_round()
            await Message.filter(id__in=[each.id for each in batch]).update(round=number)
    DELIVERIES.labels("in_app", "sent").inc(len(batch))
    context.wake.kick(LIVE)
    if deliveries:
        context.wake.kick(OUT)
    return len(batch)


async def last_round() -> int:
    """The number of the last round. One statement."""
    row = await RoutingRound.get_or_none(id=1)
    return row.number if row else 0


async def _next_round() -> int:
    """The number of this round; nobody else gets one until this transaction ends."""
    counter = RoutingRound.filter(id=1)
    if not await counter.update(number=F("number") + 1):
        await RoutingRound.bulk_create([RoutingRound(id=1, number=0)], ignore_conflicts=True)
        await counter.update(number=F("number") + 1)
    return await last_round()


async def _deliveries(context: Context, batch: Sequence[Message]) -> list[Delivery]:
    accounts = {message.account_id for message in batch}
    addresses = await _addresses(accounts)
    wishes = await wants.of_accounts(accounts)
    now = context.clock()
    return [
        _delivery(message, channel, target, wishes.not_before(message.account_id, template, now))
        for message in batch
        # A kind that an older or newer version told: it is in the app, if anywhere.
        if (template := TEMPLATES.get(message.kind)) is not None
        for channel in sorted(template.channels)
        if _serves(context, channel, message.kind)
        if wishes.through(message.account_id, template, channel)
        for target in addresses.targets(message.account_id, channel)
    ]


def _serves(context: Context, channel: Channel, kind: str) -> bool:
    """Whether this installation can send such a message through `channel`."""
    sms, wechat = context.settings.sms, context.settings.wechat
    match channel:
        case Channel.SMS:  # in China a provider sends only what it has approved
            return sms.provider == "local" or kind in sms.templates
        case Channel.WECHAT:
            return bool(wechat.app_id and wechat.app_secret) and kind in wechat.templates
        case Channel.WEB_PUSH:
            return True


def _delivery(message: Message, channel: Channel, target: str, due: datetime) -> Delivery:
    return Delivery(
        message_id=message.id,
        account_id=message.account_id,
        channel=channel,
        target=target,
        lane=message.lane,
        next_try=due,
    )


async def _addresses(account_ids: Collection[UUID]) -> _Addresses:
    """Where these accounts can be reached; who is shut out, nowhere. Three statements."""
    ids = list(account_ids)
    rows = await Account.filter(id__in=ids, disabled_at=None).values_list("id", "phone_index")
    phones = {account_id: phone is not None for account_id, phone in rows}
    browsers: dict[UUID, list[str]] = {}
    for account_id, id_ in await PushSubscription.filter(account_id__in=ids).values_list(
        "account_id", "id"
    ):
        if account_id in phones:
            browsers.setdefault(account_id, []).append(str(id_))
    bound = await WeChatBinding.filter(account_id__in=ids).values_list("account_id", flat=True)
    return _Addresses(
        frozenset(account_id for account_id, has_one in phones.items() if has_one),
        browsers,
        frozenset(phones.keys() & set(bound)),
    )
