"""What an account wishes: which channels for which group, and when not to be disturbed."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.messages.kinds import Group
from business_api.messages.models import Channel, MessagePreference, QuietHours
from business_api.messages.templates import TEMPLATES
from business_api.messages.wants import Quiet
from foundation.errors import DomainError, Kind

Choice = tuple[Group, Channel]

CHOICES: Final[tuple[Choice, ...]] = tuple(
    sorted({(each.group, channel) for each in TEMPLATES.values() for channel in each.channels})
)
"""What can be turned off: the channels that some message of a group uses."""


class NoSuchChoice(DomainError):
    """No message of this group uses this channel, or it is named twice."""

    kind, code, title = Kind.INVALID, "no-such-choice", "This channel is not used for this group"
    title_zh = "该类消息不使用此渠道"


async def of_account(account_id: UUID) -> tuple[dict[Choice, bool], Quiet | None]:
    """Every choice there is, on or off, and the quiet hours. Two statements."""
    rows = await MessagePreference.filter(account_id=account_id).values_list(
        "group", "channel", "on"
    )
    off = {(group, channel) for group, channel, on in rows if not on}
    quiet = await QuietHours.get_or_none(account_id=account_id)
    return (
        {choice: choice not in off for choice in CHOICES},
        Quiet(quiet.begin, quiet.end, quiet.zone) if quiet else None,
    )


async def change(
    actor: Actor, choices: Collection[tuple[Group, Channel, bool]], quiet: Quiet | None
) -> None:
    """Put new wishes in the place of the old ones. Five statements at most.

    Raises:
        NoSuchChoice: see there.
    """
    named = [(group, channel) for group, channel, _ in choices]
    if len(named) != len(set(named)) or not set(named) <= set(CHOICES):
        raise NoSuchChoice
    rows = [
        MessagePreference(account_id=actor.account_id, group=group.value, channel=channel, on=on)
        for group, channel, on in choices
    ]
    async with in_transaction():
        await MessagePreference.filter(account_id=actor.account_id).delete()
        await QuietHours.filter(account_id=actor.account_id).delete()
        # Two requests at once: one of them is the last, and its rows are whole.
        await MessagePreference.bulk_create(
            rows, on_conflict=["account_id", "group", "channel"], update_fields=["on"]
        )
        if quiet is not None:
            hours = QuietHours(
                account_id=actor.account_id, begin=quiet.begin, end=quiet.end, zone=quiet.zone
            )
            await QuietHours.bulk_create(
                [hours], on_conflict=["account_id"], update_fields=["begin", "end", "zone"]
            )
