"""Messages and wishes about them, as the API shows them."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from business_api.messages.kinds import Group
from business_api.messages.models import Channel
from business_api.schemas import In, Out

_ZONES: Final = frozenset(available_timezones())


class MessageOut(Out):
    """One message, in the caller's language. Plain text: show it as such.

    `refs` are ids of what it is about, by name.
    """

    id: UUID
    kind: str
    group: Group
    urgent: bool
    title: str
    body: str
    refs: dict[str, str]
    created_at: datetime
    read_at: datetime | None


class UnreadOut(Out):
    """How many messages are not read."""

    unread: int


class ReadIn(In):
    """All messages, or those up to the `created_at` of the latest that was shown."""

    until: AwareDatetime | None = None


def _known_zone(zone: str) -> str:
    if zone not in _ZONES:
        raise ValueError("no such time zone")
    return zone


Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Zone = Annotated[str, Field(max_length=40), AfterValidator(_known_zone)]


class QuietIn(In):
    """From one time of the day to another, over midnight if need be; e.g. 22:00 to 07:00."""

    begin: Clock
    end: Clock
    zone: Zone = "Asia/Shanghai"

    @model_validator(mode="after")
    def _not_empty(self) -> "QuietIn":
        if self.begin == self.end:
            raise ValueError("begin and end are the same")
        return self


class QuietOut(Out):
    """Hours in which nothing that can wait goes out."""

    begin: str
    end: str
    zone: str


class PreferenceIn(In):
    """Whether messages of a group go through a channel."""

    group: Group
    channel: Channel
    on: bool


class PreferenceOut(Out):
    """The same; only of channels that messages of the group use."""

    group: Group
    channel: Channel
    on: bool


class PreferencesIn(In):
    """What is not among the channels stays on; no `quiet`: there are no quiet hours."""

    channels: Annotated[list[PreferenceIn], Field(max_length=100)]
    quiet: QuietIn | None = None


class PreferencesOut(Out):
    """Every message is in the app whatever is wished. Urgent ones ignore `quiet`."""

    channels: list[PreferenceOut]
    quiet: QuietOut | None


class PushKeyOut(Out):
    """What a browser wants as `applicationServerKey` (RFC 8292), base64url."""

    public_key: str


class PushKeysIn(In):
    """A browser's keys, base64url."""

    p256dh: Annotated[str, Field(max_length=200)]
    auth: Annotated[str, Field(max_length=80)]


class PushSubscriptionIn(In):
    """What `PushSubscription.toJSON()` gives in a browser."""

    endpoint: Annotated[str, Field(max_length=1000)]
    expirationTime: float | None = None  # noqa: N815  (the browser's name)
    keys: PushKeysIn


class PushSubscriptionOut(Out):
    """A browser that shows messages. `current`: it is signed in by this session."""

    id: UUID
    host: str
    agent: str
    created_at: datetime
    current: bool


class WeChatIn(In):
    """The code that `wx.login` gives in the mini program."""

    code: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]


class WeChatOut(Out):
    """Whether messages go to WeChat. `available`: this installation has a mini program."""

    bound: bool
    available: bool
