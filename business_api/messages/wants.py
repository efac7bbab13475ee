"""What people want of what they are told: channels turned off, hours of quiet."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from business_api.messages.kinds import Template
from business_api.messages.models import Channel, MessagePreference, QuietHours


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which somebody is not to be disturbed: minutes of the day in a time zone."""

    begin: int
    end: int
    zone: str

    def until(self, now: datetime) -> datetime | None:
        """When the quiet that holds `now` is over; None when there is none now."""
        local = now.astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        if self.begin <= self.end:
            inside = self.begin <= minute < self.end
        else:
            inside = minute >= self.begin or minute < self.end
        if not inside:
            return None
        day = local.date() if minute < self.end else local.date() + timedelta(days=1)
        over = datetime.combine(day, time(self.end // 60, self.end % 60), local.tzinfo)
        return over.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Wants:
    """The wishes of some accounts."""

    off: frozenset[tuple[UUID, str, Channel]]
    quiet: Mapping[UUID, Quiet]

    def through(self, account_id: UUID, template: Template, channel: Channel) -> bool:
        """Whether such a message goes to the account through `channel`."""
        muted = (account_id, template.group.value, channel) in self.off
        return channel in template.channels and not muted

    def not_before(self, account_id: UUID, template: Template, now: datetime) -> datetime:
        """When such a message may go out: now, or after the quiet hours."""
        quiet = self.quiet.get(account_id)
        if template.urgent or quiet is None:
            return now
        return quiet.until(now) or now


async def of_accounts(account_ids: Collection[UUID]) -> Wants:
    """The wishes of any number of accounts. Two statements."""
    ids = list(account_ids)
    muted = await MessagePreference.filter(account_id__in=ids, on=False).values_list(
        "account_id", "group", "channel"
    )
    quiet = await QuietHours.filter(account_id__in=ids)
    return Wants(
        off=frozenset((account, group, Channel(channel)) for account, group, channel in muted),
        quiet={row.account_id: Quiet(row.begin, row.end, row.zone) for row in quiet},
    )
