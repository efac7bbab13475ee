"""One-time codes: what they are good for, how many there are, and how often one may guess."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from business_api import housekeeping
from business_api.accounts import code_limits, one_time_codes
from business_api.accounts.models import OneTimeCode
from business_api.accounts.one_time_codes import (
    CodeExpired,
    CodeLocked,
    CountryNotServed,
    Purpose,
    TooManyCodes,
    WrongCode,
)
from business_api.phones import BadPhone
from business_api.sms.models import SmsMessage
from business_api.sms.port import NumberRefused, SmsFlowControl, SmsUnavailable
from foundation.errors import DomainError
from foundation.models import Condition
from foundation.settings_outside import Sms
from tests.business_api.conftest import Api
from tests.business_api.sms.provider import KEY_ID, SECRET, gateway
from tests.business_api.sms.test_aliyun import CODES
from tests.support.sms import code_to, texts_to
from tests.support.statements import statements

PHONE, OTHER = "+8613800138000", "+8613900139000"
MINUTE = timedelta(minutes=1, seconds=1)


async def send(api: Api, phone: str = PHONE, **more: Any) -> str:
    """Ask for a code to sign in; the code."""
    purpose = more.pop("purpose", Purpose.SIGN_IN)
    await one_time_codes.send(api.context, purpose, phone, **more)
    return await code_to(api.context, phone)


async def check(api: Api, code: str, phone: str = PHONE, **more: Any) -> None:
    purpose = more.pop("purpose", Purpose.SIGN_IN)
    await one_time_codes.check(api.context, purpose, phone, code, **more)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


@contextmanager
def limits(api: Api, **more: Any) -> Iterator[None]:
    """Other `sms` settings while the block runs."""
    before = api.context.settings
    changed = Sms(**(before.sms.model_dump() | more))
    api.context.settings = before.model_copy(update={"sms": changed})
    try:
        yield
    finally:
        api.context.settings = before


async def test_a_code_is_good_once(api: Api) -> None:
    expires = await one_time_codes.send(api.context, Purpose.SIGN_IN, "138 0013 8000")
    assert timedelta(minutes=9) < expires - api.time() <= timedelta(minutes=10)
    code = await code_to(api.context, PHONE)
    assert re.fullmatch("[0-9]{6}", code)
    await check(api, code)
    with pytest.raises(CodeExpired):
        await check(api, code)


async def test_what_is_stored_is_no_code(api: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        await send(api)
    row = await OneTimeCode.get()
    assert re.fullmatch("[0-9a-f]{64}", row.code_hash)
    assert "13800138000" not in f"{row.phone_index} {row.address} {row.about}"
    ours = [line for line in logs if line["event"] != "sms.message.kept"]
    assert [line["event"] for line in ours] == ["code.sent"]
    assert "8000" not in f"{ours}"


async def test_the_same_digits_are_not_good_for_anything_else(api: Api) -> None:
    """Neither for another purpose, matter or number, nor in another row."""
    code = await send(api, about="certification/1", purpose=Purpose.CERTIFICATION)
    api.time.ahead += MINUTE
    await send(api)  # another row of the same number, with another code
    await send(api, OTHER, about="certification/1", purpose=Purpose.CERTIFICATION)
    rows = {(row.purpose, row.phone_index): row for row in await OneTimeCode.all()}
    assert len({row.code_hash for row in rows.values()}) == 3
    for wrong in (
        {"purpose": Purpose.REGISTER},
        {"purpose": Purpose.CERTIFICATION, "about": "certification/2"},
        {"purpose": Purpose.CERTIFICATION, "about": ""},
        {"purpose": Purpose.PASSWORD, "about": "certification/1"},
    ):
        with pytest.raises(CodeExpired):
            await check(api, code, **wrong)
    for phone, purpose, about in (
        (PHONE, Purpose.SIGN_IN, ""),
        (OTHER, Purpose.CERTIFICATION, "certification/1"),
    ):
        if code != await code_to(api.context, phone):  # 1 in a million otherwise
            with pytest.raises(WrongCode):
                await check(api, code, phone, purpose=purpose, about=about)
    await check(api, code, purpose=Purpose.CERTIFICATION, about="certification/1")


async def test_a_hash_moved_to_another_row_is_worth_nothing(api: Api) -> None:
    """Who can write to the table still cannot make a code of his good for somebody else."""
    mine = await send(api, OTHER)
    await send(api)
    stolen = (await OneTimeCode.all().order_by("sent_at"))[0]
    await OneTimeCode.exclude(id=stolen.id).update(code_hash=stolen.code_hash)
    with pytest.raises(WrongCode):
        await check(api, mine)


async def test_a_code_lasts_ten_minutes(api: Api) -> None:
    code = await send(api)
    api.time.ahead += timedelta(minutes=9, seconds=50)
    await one_time_codes.verify(api.context, Purpose.SIGN_IN, PHONE, code)
    api.time.ahead += timedelta(seconds=11)
    with pytest.raises(CodeExpired):
        await check(api, code)


async def test_only_the_newest_code_is_good(api: Api) -> None:
    first = await send(api)
    api.time.ahead += MINUTE
    second = await send(api)
    if first != second:
        with pytest.raises(WrongCode):
            await check(api, first)
    await check(api, second)


async def test_five_tries_then_not_even_the_right_one(api: Api) -> None:
    code = await send(api)
    left = []
    for _ in range(5):
        with pytest.raises(WrongCode) as wrong:
            await check(api, other_than(code))
        left.append(wrong.value.facts["tries_left"])
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(CodeLocked):
        await check(api, code)
    api.time.ahead += MINUTE
    await check(api, await send(api))


async def test_fifty_guesses_at_once_are_five(api: Api) -> None:
    code = await send(api)
    wrong = other_than(code)
    outcomes = await asyncio.gather(*(check(api, wrong) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(each, WrongCode) for each in outcomes) == 5
    assert sum(isinstance(each, CodeLocked) for each in outcomes) == 45
    assert (await OneTimeCode.get()).tries == 5


async def test_the_right_code_fifty_times_at_once_is_good_once(api: Api) -> None:
    code = await send(api)
    outcomes = await asyncio.gather(*(check(api, code) for _ in range(50)), return_exceptions=True)
    assert outcomes.count(None) == 1
    assert all(isinstance(each, CodeExpired | CodeLocked) for each in outcomes if each is not None)


async def test_fifty_requests_at_once_send_exactly_one(api: Api) -> None:
    outcomes = await asyncio.gather(
        *(one_time_codes.send(api.context, Purpose.SIGN_IN, PHONE) for _ in range(50)),
        return_exceptions=True,
    )
    refused = [each for each in outcomes if isinstance(each, TooManyCodes)]
    assert len(refused) == 49
    assert len(await texts_to(api.context, PHONE)) == 1
    assert await OneTimeCode.all().count() == 1


async def test_one_a_minute_five_an_hour_ten_a_day(api: Api) -> None:
    """Over two days of asking every 20 seconds, in any purpose, on fast forward."""
    waits: list[int] = []
    while api.time.ahead < timedelta(days=2):
        purpose = list(Purpose)[len(waits) % len(Purpose)]
        try:
            await one_time_codes.send(api.context, purpose, PHONE, about=f"{len(waits)}")
        except TooManyCodes as refusal:
            wait = refusal.facts["retry_after"]
            assert isinstance(wait, int)
            waits.append(wait)
            # Shortly before it says so, and then when it says.
            api.time.ahead += timedelta(seconds=max(1, wait - 2 if len(waits) % 2 else wait))
    sent = list(await OneTimeCode.all().order_by("turn").values_list("sent_at", flat=True))
    for window, most in code_limits.PER_NUMBER:
        for start in sent:
            assert sum(start <= at < start + window for at in sent) <= most
    assert len([at for at in sent if at < sent[0] + timedelta(days=1)]) == 10
    assert len(sent) >= 20
    assert max(waits) > 3600


async def test_guessing_for_a_day_succeeds_once_in_twenty_thousand_days(api: Api) -> None:
    """The bound, asserted: of one number 10 codes a day with 5 tries each.

    A try at a code of 10**6 is right with 1e-6, five different ones with 5e-6, whatever was
    tried before; with ten codes P(day) <= 10 * 5e-6 = 5e-5, that is once in 20,000 days of
    undisturbed guessing, of which the owner sees every message. All purposes share it.
    """
    tries = codes = 0
    end = api.time() + timedelta(days=1, minutes=-5)
    while api.time() < end:
        try:
            code = await send(api)
        except TooManyCodes as refusal:
            api.time.ahead += timedelta(seconds=int(refusal.facts["retry_after"]))  # type: ignore[arg-type]
            continue
        codes += 1
        for _ in range(7):
            with pytest.raises((WrongCode, CodeLocked)) as refused:
                await check(api, other_than(code))
            tries += refused.type is WrongCode
    assert (codes, tries) == (10, 50)
    assert tries / 10**one_time_codes.DIGITS <= 5e-5


async def test_an_address_has_its_share(api: Api) -> None:
    with limits(api, codes_per_address=3):
        outcomes = await asyncio.gather(
            *(
                one_time_codes.send(
                    api.context, Purpose.SIGN_IN, f"+861380013{n:04d}", address="203.0.113.7"
                )
                for n in range(50)
            ),
            return_exceptions=True,
        )
        sent = [each for each in outcomes if not isinstance(each, Exception)]
        assert len(sent) <= 3
        assert all(isinstance(each, TooManyCodes) for each in outcomes if each not in sent)
        # Those refused have left nothing behind: neither in the way of their numbers, …
        assert await OneTimeCode.all().count() == len(sent) == await SmsMessage.all().count()
        for n in range(len(sent), 3):
            await send(api, f"+861390013{n:04d}", address="203.0.113.7")
        with pytest.raises(TooManyCodes) as refused:
            await send(api, OTHER, address="203.0.113.7")
        assert 3500 < int(refused.value.facts["retry_after"]) <= 3600  # type: ignore[arg-type]
        # … nor in that of other addresses.
        await send(api, OTHER, address="203.0.113.8")
        api.time.ahead += timedelta(hours=1, seconds=1)
        await send(api, "+8613800139999", address="203.0.113.7")


async def test_who_owns_a_whole_network_is_one_address(api: Api) -> None:
    with limits(api, codes_per_address=2):
        for n in range(2):
            await send(api, f"+861380013{n:04d}", address=f"2001:db8::{n}")
        with pytest.raises(TooManyCodes):
            await send(api, OTHER, address="2001:db8::ffff")
        await send(api, OTHER, address="2001:db8:0:1::1")


async def test_a_day_of_an_address(api: Api) -> None:
    with limits(api, codes_per_address=2, codes_per_address_day=3):
        for n in range(2):
            await send(api, f"+861380013{n:04d}", address="203.0.113.7")
        api.time.ahead += timedelta(hours=2)
        await send(api, "+8613800130009", address="203.0.113.7")
        with pytest.raises(TooManyCodes) as refused:
            await send(api, OTHER, address="203.0.113.7")
        assert int(refused.value.facts["retry_after"]) > 21 * 3600  # type: ignore[arg-type]


async def test_the_platform_spends_no_more_than_its_ceiling(api: Api) -> None:
    """Toll fraud from many addresses to many numbers ends there, and somebody is told."""
    with limits(api, codes_per_hour=4):
        outcomes = await asyncio.gather(
            *(
                one_time_codes.send(
                    api.context, Purpose.REGISTER, f"+861380013{n:04d}", address=f"203.0.113.{n}"
                )
                for n in range(50)
            ),
            return_exceptions=True,
        )
        assert sum(not isinstance(each, Exception) for each in outcomes) <= 4
        assert await SmsMessage.all().count() <= 4
        condition = await Condition.get(kind="codes_ceiling")
        assert condition.cleared_at is None
        await housekeeping.forget(api.context)
        api.time.ahead += timedelta(hours=1, seconds=1)
        await housekeeping.forget(api.context)
        await condition.refresh_from_db()
        assert condition.cleared_at is not None
        await send(api)


@pytest.mark.parametrize(
    "phone",
    [
        "",
        "1",
        "110",
        "010-62345678",
        "not a number",
        "+86138001380001",
        "\x00",
        "\ud800",
        "9" * 10_000,
    ],
)
async def test_what_is_no_mobile_number(api: Api, phone: str) -> None:
    with pytest.raises(BadPhone):
        await one_time_codes.send(api.context, Purpose.REGISTER, phone)
    with pytest.raises(BadPhone):
        await check(api, "123456", phone)
    assert not await OneTimeCode.exists()


async def test_no_codes_to_countries_that_are_not_served(api: Api) -> None:
    """The dear numbers of the world are where toll fraud earns its money."""
    for phone in ("+12025550123", "+85251234567", "+881612345678", "+37060012345"):
        with pytest.raises((CountryNotServed, BadPhone)):
            await one_time_codes.send(api.context, Purpose.REGISTER, phone)
    with limits(api, regions=("CN", "HK")):
        await send(api, "+85251234567")


HOSTILE = ["", " ", "１２３４５６", "12345", "1234567", "\x00", "\ud800", "x" * 10_000, "١٢٣٤٥٦"]


@pytest.mark.parametrize("typed", HOSTILE)
async def test_what_is_no_code_counts_as_a_try(api: Api, typed: str) -> None:
    await send(api)
    with pytest.raises(WrongCode):
        await check(api, typed)
    assert (await OneTimeCode.get()).tries == 1


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(typed=st.text(max_size=12))
async def test_nothing_but_the_code_is_the_code(api: Api, typed: str) -> None:
    api.time.ahead += timedelta(days=1)
    code = await send(api)
    if typed != code:
        with pytest.raises(WrongCode):
            await check(api, typed)
    await check(api, code)


async def test_a_stand_in_looks_like_a_code_from_outside(api: Api) -> None:
    """The same statements, count, limits and errors; and no code opens it."""
    with statements() as for_code:
        await one_time_codes.send(api.context, Purpose.REGISTER, PHONE)
    with statements() as for_other:
        await one_time_codes.send(api.context, Purpose.REGISTER, OTHER, instead="have_account")
    assert [sql.split(" ")[0] for sql in for_code] == [sql.split(" ")[0] for sql in for_other]
    assert "已注册" in (await texts_to(api.context, OTHER))[0]
    right = await code_to(api.context, PHONE)
    seen = []
    for phone in (PHONE, OTHER):
        outcomes: list[Any] = []
        for _ in range(6):
            with pytest.raises(DomainError) as refused:
                await check(api, other_than(right), phone, purpose=Purpose.REGISTER)
            outcomes.append((refused.type, refused.value.facts))
        seen.append(outcomes)
        with pytest.raises(TooManyCodes):
            await one_time_codes.send(api.context, Purpose.REGISTER, phone)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("answer", "error", "keeps"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", SmsFlowControl, True),
        ("isv.MOBILE_NUMBER_ILLEGAL", NumberRefused, True),
        ("isp.SYSTEM_ERROR", SmsUnavailable, False),
    ],
)
async def test_a_message_that_could_not_be_sent(
    api: Api, answer: str, error: type[DomainError], keeps: bool
) -> None:
    """It counts. If it is certain that it did not arrive, the code before it stays good."""
    code = await send(api)
    api.time.ahead += MINUTE
    async with gateway(api.time) as here:
        here.code = answer
        provider = {
            "provider": "aliyun",
            "endpoint": here.url,
            "access_key_id": SecretStr(KEY_ID),
            "access_key_secret": SecretStr(SECRET),
            "sign_name": "邻里",
            "templates": CODES,
        }
        with limits(api, **provider), pytest.raises(error):
            await one_time_codes.send(api.context, Purpose.SIGN_IN, PHONE)
    with pytest.raises(TooManyCodes):
        await send(api)
    if keeps:
        await check(api, code)
    else:
        with pytest.raises(WrongCode):
            await check(api, code)


async def test_old_rows_are_forgotten_and_no_limit_with_them(api: Api) -> None:
    for _ in range(5):
        await send(api)
        api.time.ahead += MINUTE
    await housekeeping.forget(api.context)
    assert await OneTimeCode.all().count() == 5
    with pytest.raises(TooManyCodes):
        await send(api)
    api.time.ahead += timedelta(days=1)
    await send(api)
    assert await OneTimeCode.all().count() == 6
    api.time.ahead += timedelta(days=1)
    await housekeeping.forget(api.context)
    assert await OneTimeCode.all().count() == 1
    assert await SmsMessage.all().count() <= 1
    await send(api)
