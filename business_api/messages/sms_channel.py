"""Messages as text messages, by the provider of `business_api.sms`."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from business_api import sms
from business_api.accounts import private
from business_api.accounts.models import Account
from business_api.messages.channels import SENT, Letter, Outcome, Report, each, failed, skipped
from business_api.messages.channels import dead as refused
from business_api.messages.models import Channel
from business_api.messages.templates import TEMPLATES
from business_api.sms.port import NumberRefused, SmsFlowControl, SmsRefused, SmsUnavailable
from foundation.runner import Context

_MARGIN: Final = timedelta(seconds=1)
"""The provider's own time limit ends first: what it says is more than that time is up."""
_PROVIDER: Final = frozenset({"refused", "unavailable", "timeout"})
_ENOUGH: Final = 4
"""Letters that all fail by the provider, for us to believe that it is not about them."""
_FLOW_PAUSE: Final = timedelta(minutes=1)


class SmsChannel:
    """Takes the number out of its seal for as long as the sending lasts."""

    channel = Channel.SMS

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sender = sms.sender(context)

    async def send(self, batch: Sequence[Letter]) -> Report:
        """See `Port`. One statement, and those of the provider."""
        settings = self._context.settings
        accounts: Mapping[UUID, Account] = await Account.in_bulk(
            {letter.account_id for letter in batch}, "id"
        )

        async def one(letter: Letter) -> Outcome:
            account = accounts.get(letter.account_id)
            sealed = account.phone_sealed if account else None
            if account is None or sealed is None:
                return skipped("no_phone")
            phone = private.unseal(self._context, account, "phone", sealed)
            return await self._send(letter, phone) if phone else skipped("no_phone")

        limit = settings.sms.timeout + _MARGIN
        report = await each(batch, one, settings.messages, timeout=limit)
        errors = {outcome.error for outcome in report.outcomes.values()}
        if len(batch) >= _ENOUGH and errors and errors <= _PROVIDER:
            report.down = min(errors)  # the next would fail as well: no need to try at once
        return report

    async def _send(self, letter: Letter, phone: str) -> Outcome:
        words = {
            name: value
            for name, value in letter.params.items()
            if name not in TEMPLATES[letter.kind].refs
        }
        params = words | {"text": letter.body}
        try:
            await self._sender.send(phone, letter.kind, params, letter.language)
        except NumberRefused:
            return refused("number")
        except SmsFlowControl as error:
            wait = error.facts.get("retry_after")
            return failed("flow", timedelta(seconds=wait) if isinstance(wait, int) else _FLOW_PAUSE)
        except SmsRefused:
            return failed("refused")
        except SmsUnavailable:
            return failed("unavailable")
        return SENT
