"""Alibaba Cloud's short message service (Dysmsapi 2017-05-25, SendSms) over signed HTTPS."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog

from business_api.language import Language
from business_api.sms import templates
from business_api.sms.aliyun_signature import Call, headers_of, query_of
from business_api.sms.port import (
    NumberRefused,
    SmsFlowControl,
    SmsRefused,
    SmsUnavailable,
    counted,
)
from foundation.clock import Clock
from foundation.errors import DomainError
from foundation.settings_outside import Sms

log = structlog.get_logger()

_FLOW: Final = frozenset(
    {
        "isv.BUSINESS_LIMIT_CONTROL",  # 1 a minute, 5 an hour, 10 a day for a number
        "isv.DAY_LIMIT_CONTROL",
        "isv.MONTH_LIMIT_CONTROL",
    }
)
_NUMBER: Final = frozenset(
    {
        "isv.MOBILE_NUMBER_ILLEGAL",
        "isv.BLACK_KEY_CONTROL_LIMIT",
        "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
        "MOBILE_NOT_ON_SERVICE",
    }
)
_LATER: Final = ("isp.", "Throttling", "ServiceUnavailable", "InternalError")
"""How the codes begin with which the provider speaks of itself, and not of our request."""

_FLOW_PAUSE: Final = 60
"""Seconds. The provider does not say how long; its shortest window is a minute."""


class AliyunSender:
    """Sends by `SendSms`; one connection a message, nothing is held open.

    The parameters stand in the query, where the service's documentation has them: so nothing
    here writes an address, and no error of the HTTP library is repeated.
    """

    def __init__(self, settings: Sms, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def send(
        self, phone_e164: str, template: str, params: Mapping[str, str], language: Language
    ) -> None:
        """See `SmsSender`."""
        with counted("aliyun"):
            call = Call(
                host=urlsplit(self._settings.endpoint).netloc,
                action="SendSms",
                version="2017-05-25",
                params={
                    "PhoneNumbers": _number(phone_e164),
                    "SignName": self._settings.sign_name or "",
                    "TemplateCode": self._code(template, language),
                    "TemplateParam": json.dumps(dict(params), ensure_ascii=False),
                },
                at=self._clock(),
                nonce=secrets.token_hex(16),
            )
            _judge(*await self._ask(call))

    def _code(self, template: str, language: Language) -> str:
        """What the provider calls the template.

        One of ours that is missing stops all, also those that are there: whether a number has
        an account would show in which of two messages fails.
        """
        known = self._settings.templates
        missing = [name for name in (*templates.TEXTS, template) if name not in known]
        if missing:
            log.error("sms.templates.missing", names=missing)
            raise SmsRefused("LINLI_SMS__TEMPLATES is not complete")
        return known.get(f"{template}.{language}", known[template])

    async def _ask(self, call: Call) -> tuple[int, bytes]:
        key_id, secret = self._settings.access_key_id, self._settings.access_key_secret
        if key_id is None or secret is None:
            raise SmsRefused("there is no access key")
        headers = headers_of(call, key_id.get_secret_value(), secret.get_secret_value())
        url = f"{self._settings.endpoint.rstrip('/')}/?{query_of(call.params)}"
        seconds = self._settings.timeout.total_seconds()
        try:
            async with (
                asyncio.timeout(seconds),
                httpx.AsyncClient(timeout=seconds, follow_redirects=False) as client,
            ):
                answer = await client.post(url, headers=headers)
        except (TimeoutError, httpx.HTTPError) as error:
            # Only what kind of error: its text may hold the address, and with it the number.
            log.warning("sms.provider.silent", error=type(error).__name__)
            raise SmsUnavailable(type(error).__name__) from None
        return answer.status_code, answer.content


def _judge(status: int, content: bytes) -> None:
    """Raise what the provider's answer means; nothing when the message was taken."""
    code, request_id = _code_of(content)
    if status == 200 and code == "OK":
        return
    error: type[DomainError]
    if code in _FLOW:
        error = SmsFlowControl
    elif code in _NUMBER:
        error = NumberRefused
    elif status >= 500 or not code or code.startswith(_LATER):
        error = SmsUnavailable
    else:
        error = SmsRefused
    log.warning("sms.provider.refused", status=status, answer=code, provider_request=request_id)
    if error is SmsFlowControl:
        raise SmsFlowControl(retry_after=_FLOW_PAUSE)
    raise error


def _code_of(content: bytes) -> tuple[str, str]:
    """`Code` and `RequestId` of an answer; empty when it is none."""
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    return str(body.get("Code", ""))[:80], str(body.get("RequestId", ""))[:80]


def _number(phone_e164: str) -> str:
    """As the service wants it: at home without a country, else with it but without a plus."""
    home = phone_e164.removeprefix("+86")
    return home if home != phone_e164 else phone_e164.removeprefix("+")
