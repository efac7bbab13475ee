"""What sends a text message, whoever carries it, and how that can fail."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from prometheus_client import Counter

from business_api.language import Language
from foundation.errors import DomainError, Kind

SENT = Counter("sms_sent_total", "Text messages, by provider and outcome.", ["provider", "outcome"])


class SmsUnavailable(DomainError):
    """The provider did not answer, or not with sense. It may have sent the message all the same."""

    kind, code = Kind.UNAVAILABLE, "sms-unavailable"
    title, title_zh = "Messages cannot be sent at this moment", "短信服务暂时不可用"


class SmsRefused(DomainError):
    """The provider sends nothing for us: settings, balance, template. Its reason is in the log."""

    kind, code = Kind.UNAVAILABLE, "sms-refused"
    title, title_zh = "Messages cannot be sent", "短信无法发送，请联系管理员"


class SmsFlowControl(DomainError):
    """The provider's own limit is reached, for the number or for all we send."""

    kind, code = Kind.TOO_MANY, "sms-flow-control"
    title, title_zh = "Too many messages, try later", "短信发送过于频繁，请稍后再试"


class NumberRefused(DomainError):
    """The provider does not send to this number."""

    kind, code = Kind.INVALID, "number-refused"
    title, title_zh = "No message can be sent to this number", "无法向该号码发送短信"


NOT_SENT: Final = (SmsRefused, SmsFlowControl, NumberRefused)
"""After these nothing has reached the phone, for certain."""

_OUTCOMES: Final[Mapping[type[DomainError], str]] = {
    SmsUnavailable: "unavailable",
    SmsRefused: "refused",
    SmsFlowControl: "flow_control",
    NumberRefused: "number",
}


class SmsSender(Protocol):
    """Sends one message to one number."""

    async def send(
        self, phone_e164: str, template: str, params: Mapping[str, str], language: Language
    ) -> None:
        """Hand a message over to whoever carries it. Not inside a transaction.

        Args:
            phone_e164: the number, e.g. +8613800138000.
            template: one of `sms.templates`, or another slice's own.
            params: what the template leaves open.
            language: of the text.

        Raises:
            SmsUnavailable, SmsRefused, SmsFlowControl, NumberRefused: see there.
        """
        ...


@contextmanager
def counted(provider: str) -> Iterator[None]:
    """Count one message, by how the block ends."""
    try:
        yield
    except tuple(_OUTCOMES) as error:
        SENT.labels(provider, _OUTCOMES[type(error)]).inc()
        raise
    SENT.labels(provider, "sent").inc()
