"""Sending by Alibaba Cloud, against a gateway that verifies every byte of the signature."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from pydantic import SecretStr, ValidationError

from business_api import sms
from business_api.sms import templates
from business_api.sms.port import (
    SENT,
    NumberRefused,
    SmsFlowControl,
    SmsRefused,
    SmsUnavailable,
)
from foundation import log
from foundation.errors import DomainError
from foundation.runner import Context
from foundation.security import Keyring
from foundation.settings import Settings
from foundation.settings_outside import Sms
from tests.business_api.conftest import Time
from tests.business_api.sms.provider import KEY_ID, SECRET, Gateway, gateway, replay

PHONE = "+8613800138000"
CODES = {name: f"SMS_{n}" for n, name in enumerate(templates.TEXTS)}


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def here(time: Time) -> AsyncIterator[Gateway]:
    async with gateway(lambda: time() - time.ahead) as listening:
        yield listening


def context(here: Gateway, time: Time, **more: Any) -> Context:
    settings: dict[str, Any] = {
        "provider": "aliyun",
        "endpoint": here.url,
        "access_key_id": SecretStr(KEY_ID),
        "access_key_secret": SecretStr(SECRET),
        "sign_name": "邻里 社区+",
        "templates": CODES,
        "timeout": timedelta(seconds=5),
    }
    ours = Settings(sms=Sms(**(settings | more)))
    return Context(ours, Keyring(bytes(32)), clock=time)


async def send(context: Context, phone: str = PHONE, template: str = "code_sign_in") -> None:
    await sms.sender(context).send(phone, template, {"code": "123456", "minutes": "10"}, "zh")


def count(outcome: str) -> float:
    return float(SENT.labels("aliyun", outcome)._value.get())


async def test_a_message_is_taken_as_it_was_meant(here: Gateway, time: Time) -> None:
    before = count("sent")
    await send(context(here, time))
    assert here.taken == [
        {
            "PhoneNumbers": "13800138000",
            "SignName": "邻里 社区+",
            "TemplateCode": CODES["code_sign_in"],
            "TemplateParam": '{"code": "123456", "minutes": "10"}',
        }
    ]
    assert count("sent") == before + 1


@pytest.mark.parametrize(
    ("phone", "wanted"), [("+85251234567", "85251234567"), ("+12025550123", "12025550123")]
)
async def test_numbers_of_other_countries(
    here: Gateway, time: Time, phone: str, wanted: str
) -> None:
    await send(context(here, time), phone)
    assert here.taken[0]["PhoneNumbers"] == wanted


async def test_english_has_its_own_template_if_there_is_one(here: Gateway, time: Time) -> None:
    ours = context(here, time, templates=CODES | {"code_sign_in.en": "SMS_EN"})
    params = {"code": "123456", "minutes": "10"}
    await sms.sender(ours).send(PHONE, "code_sign_in", params, "en")
    await sms.sender(ours).send(PHONE, "code_register", params, "en")
    assert [each["TemplateCode"] for each in here.taken] == ["SMS_EN", CODES["code_register"]]


async def test_a_wrong_secret_is_refused(here: Gateway, time: Time) -> None:
    with pytest.raises(SmsRefused):
        await send(context(here, time, access_key_secret=SecretStr("another")))
    with pytest.raises(SmsRefused):
        await send(context(here, time, access_key_id=SecretStr("another")))
    assert not here.taken


async def test_a_recorded_request_is_good_once(here: Gateway, time: Time) -> None:
    await send(context(here, time))
    assert b"SignatureNonceUsed" in await replay(here, here.raw[0])
    assert len(here.taken) == 1


@pytest.mark.parametrize("minutes", [-16, 16])
async def test_a_clock_that_is_wrong_is_refused(here: Gateway, time: Time, minutes: int) -> None:
    time.ahead = timedelta(minutes=minutes)
    with pytest.raises(SmsRefused):
        await send(context(here, time))


async def test_no_byte_can_be_changed_on_the_way(here: Gateway, time: Time) -> None:
    await send(context(here, time))
    request = here.raw[0]
    here.nonces.clear()
    for old, new in (
        (b"13800138000", b"13800138001"),
        (b"123456", b"123457"),
        (b"SendSms", b"SendSmz"),
        (b"2017-05-25", b"2017-05-26"),
        (b"x-acs-date: 2", b"x-acs-date: 1"),
        (b"PhoneNumbers", b"PhoneNumberz"),
        (b"POST", b"PUT"),
        (b"host;x-acs-action", b"x-acs-action"),
    ):
        assert old in request
        answer = await replay(here, request.replace(old, new))
        assert b'"Code": "OK"' not in answer, old
    assert len(here.taken) == 1
    assert b'"Code": "OK"' in await replay(here, request)  # the same bytes are good


REFUSALS: list[tuple[int, str, type[DomainError], str]] = [
    (200, "isv.BUSINESS_LIMIT_CONTROL", SmsFlowControl, "flow_control"),
    (200, "isv.DAY_LIMIT_CONTROL", SmsFlowControl, "flow_control"),
    (200, "isv.MOBILE_NUMBER_ILLEGAL", NumberRefused, "number"),
    (200, "isv.BLACK_KEY_CONTROL_LIMIT", NumberRefused, "number"),
    (200, "isv.AMOUNT_NOT_ENOUGH", SmsRefused, "refused"),
    (200, "isv.SMS_TEMPLATE_ILLEGAL", SmsRefused, "refused"),
    (200, "isp.SYSTEM_ERROR", SmsUnavailable, "unavailable"),
    (400, "Throttling.User", SmsUnavailable, "unavailable"),
    (503, "ServiceUnavailable", SmsUnavailable, "unavailable"),
    (500, "OK", SmsUnavailable, "unavailable"),
    (302, "OK", SmsRefused, "refused"),
]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_refusals_of_the_provider(
    here: Gateway, time: Time, refusal: tuple[int, str, type[DomainError], str]
) -> None:
    here.status, code, error, outcome = refusal
    here.code = code
    before = count(outcome)
    with structlog.testing.capture_logs() as logs, pytest.raises(error) as refused:
        await send(context(here, time))
    assert count(outcome) == before + 1
    written = f"{logs} {refused.value} {refused.value.facts}"
    assert code in f"{logs}"
    assert "13800138000" not in written
    assert "123456" not in written
    assert SECRET not in written
    if error is SmsFlowControl:
        assert refused.value.facts["retry_after"] == 60


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[]", b"null", b'"OK"', b"<html>", b"[" * 100_000, b'{"Code": null}'],
)
async def test_an_answer_without_sense(here: Gateway, time: Time, body: bytes) -> None:
    here.body = body
    with pytest.raises((SmsUnavailable, SmsRefused)):
        await send(context(here, time))


async def test_a_provider_that_does_not_answer(here: Gateway, time: Time) -> None:
    here.silent = True
    with structlog.testing.capture_logs() as logs, pytest.raises(SmsUnavailable) as error:
        await send(context(here, time, timeout=timedelta(milliseconds=50)))
    assert "13800138000" not in f"{logs} {error.value!r} {error.value.__cause__!r}"
    nobody = context(here, time, endpoint="http://127.0.0.1:9")
    with pytest.raises(SmsUnavailable):
        await send(nobody)


async def test_all_templates_or_none(here: Gateway, time: Time) -> None:
    """What works for a code and fails for its stand-in would tell who has an account."""
    some = {name: code for name, code in CODES.items() if name != "have_account"}
    for template in ("code_register", "have_account"):
        with pytest.raises(SmsRefused):
            await send(context(here, time, templates=some), template=template)
    assert not here.raw


def test_the_http_library_does_not_log_addresses(capfd: pytest.CaptureFixture[str]) -> None:
    """Its lines at level INFO hold the number and the code."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        log.configure(json=True, level="debug")
        assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_key_id": None},
        {"access_key_secret": None},
        {"sign_name": ""},
        {"endpoint": "http://dysmsapi.aliyuncs.com"},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    good = {
        "provider": "aliyun",
        "access_key_id": SecretStr("id"),
        "access_key_secret": SecretStr("very secret"),
        "sign_name": "邻里",
    }
    assert "very secret" not in repr(Sms(**good))
    with pytest.raises(ValidationError) as error:
        Sms(**(good | wrong))
    assert "very secret" not in json.dumps(error.value.errors(include_input=False), default=str)
