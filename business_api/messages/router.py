"""`/v1/me/messages` and what one wishes about them."""

from uuid import UUID

from fastapi import APIRouter, Request, status

from business_api.deps import Ctx, CurrentActor
from business_api.language import language_of
from business_api.messages import live, preferences, reading
from business_api.messages.preferences import NoSuchChoice
from business_api.messages.reading import NoSuchMessage
from business_api.messages.schemas import (
    MessageOut,
    PreferenceOut,
    PreferencesIn,
    PreferencesOut,
    QuietOut,
    ReadIn,
    UnreadOut,
)
from business_api.messages.wants import Quiet
from business_api.paging import Page, PageQuery
from business_api.problems import documents

router = APIRouter(tags=["messages"])


@router.get("/me/messages", operation_id="listMessages")
async def list_messages(
    request: Request, actor: CurrentActor, paged: PageQuery, *, unread: bool = False
) -> Page[MessageOut]:
    """What one was told, the latest first; with `unread=true` only what is not read yet."""
    items, total = await reading.listed(actor, paged, language_of(request), unread=unread)
    return paged.of(items, total)


@router.get("/me/messages/unread", operation_id="countUnreadMessages")
async def count_unread(actor: CurrentActor) -> UnreadOut:
    """How many messages are not read yet."""
    return UnreadOut(unread=await reading.unread(actor))


@router.post("/me/messages/read", operation_id="markAllMessagesRead")
async def mark_all_read(body: ReadIn, context: Ctx, actor: CurrentActor) -> UnreadOut:
    """All is read, or all up to a time; how many are left."""
    await reading.mark_all_read(context, actor, body.until)
    return UnreadOut(unread=await reading.unread(actor))


@router.post(
    "/me/messages/{message_id}/read",
    operation_id="markMessageRead",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchMessage),
)
async def mark_read(message_id: UUID, context: Ctx, actor: CurrentActor) -> None:
    """One is read. Saying it twice changes nothing."""
    await reading.mark_read(context, actor, message_id)


@router.get("/me/message-preferences", operation_id="getMessagePreferences")
async def get_preferences(actor: CurrentActor) -> PreferencesOut:
    """Which messages go through which channels, and when not to be disturbed."""
    return await _preferences(actor.account_id)


@router.put(
    "/me/message-preferences",
    operation_id="changeMessagePreferences",
    responses=documents(NoSuchChoice),
)
async def change_preferences(body: PreferencesIn, actor: CurrentActor) -> PreferencesOut:
    """Put new wishes in the place of the old ones."""
    quiet = None
    if body.quiet is not None:
        begin, end = _minutes(body.quiet.begin), _minutes(body.quiet.end)
        quiet = Quiet(begin, end, body.quiet.zone)
    choices = [(choice.group, choice.channel, choice.on) for choice in body.channels]
    await preferences.change(actor, choices, quiet)
    return await _preferences(actor.account_id)


async def _preferences(account_id: UUID) -> PreferencesOut:
    choices, quiet = await preferences.of_account(account_id)
    return PreferencesOut(
        channels=[
            PreferenceOut(group=group, channel=channel, on=on)
            for (group, channel), on in choices.items()
        ],
        quiet=quiet and QuietOut(begin=_clock(quiet.begin), end=_clock(quiet.end), zone=quiet.zone),
    )


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


router.include_router(live.router)
