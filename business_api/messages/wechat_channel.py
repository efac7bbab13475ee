"""Messages as subscription messages of the mini program, to who has asked for them there."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from business_api.messages import wechat_binding
from business_api.messages.channels import (
    SENT,
    ChannelDown,
    Letter,
    Outcome,
    Report,
    dead,
    each,
    skipped,
)
from business_api.messages.models import Channel
from business_api.messages.wechat_client import WeChatClient, WeChatRefused, WeChatUnavailable
from foundation.runner import Context

_REFUSALS: Final = {
    43101: skipped("not_asked_for"),  # the person has not subscribed, or only once
    43107: skipped("not_asked_for"),
    40003: skipped("gone"),  # no such openid
}
_LONGEST: Final = 20
"""Characters of a field of kind `thing`, the widest."""


class WeChatChannel:
    """Fills in the templates that the settings name."""

    channel = Channel.WECHAT

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = WeChatClient(context)
        self._templates = context.settings.wechat.templates

    async def send(self, batch: Sequence[Letter]) -> Report:
        """See `Port`. Two statements."""
        openids = await wechat_binding.openids(
            self._context, {letter.account_id for letter in batch}
        )
        settings = self._context.settings.messages

        async def one(letter: Letter) -> Outcome:
            openid = openids.get(letter.account_id)
            return await self._send(letter, openid) if openid else skipped("gone")

        report = await each(batch, one, settings, timeout=3 * settings.timeout)
        gone: set[UUID] = {
            letter.account_id
            for letter in batch
            if report.outcomes.get(letter.id) == _REFUSALS[40003]
        }
        if gone:
            await wechat_binding.unbind(gone)
        return report

    async def _send(self, letter: Letter, openid: str) -> Outcome:
        template = self._templates.get(letter.kind)
        if template is None:
            return dead("no_template")
        texts = {**letter.params, "title": letter.title, "body": letter.body}
        data = {field: texts.get(name, "")[:_LONGEST] for field, name in template.fields.items()}
        try:
            await self._client.send(openid, template.id, data, template.page)
        except WeChatRefused as error:
            return _REFUSALS.get(error.answer, dead("refused"))
        except WeChatUnavailable:
            raise ChannelDown("wechat") from None
        return SENT
