"""Attacks on residents' accounts: finding out, guessing, shutting out, spending our money."""

import asyncio
import json
import re
import secrets
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest

from business_api.accounts import accounts, phone_accounts
from business_api.accounts.models import Account, LoginFailure, OneTimeCode, SignInSession
from business_api.sms.models import SmsMessage
from foundation.models import AuditEvent
from tests.business_api.accounts_phone.residents import (
    OTHER,
    PASSWORD,
    PHONE,
    THIRD,
    Phone,
    code_of,
)
from tests.business_api.accounts_phone.test_codes import limits
from tests.business_api.conftest import Api, bearer
from tests.support.sms import code_to, texts_to
from tests.support.statements import statements

MINUTE = timedelta(minutes=1, seconds=1)
NEW = "another long password"
ATTACKER = "198.51.100.66"


def told(answer_body: dict[str, Any]) -> dict[str, Any]:
    """What an answer tells, without what differs each time."""
    return {k: v for k, v in answer_body.items() if k not in ("request_id", "expires_at")}


@pytest.mark.parametrize("purpose", ["register", "sign_in", "password"])
async def test_nobody_learns_which_numbers_have_an_account(api: Api, purpose: str) -> None:
    """Of a known, an unknown and a disabled one: same answers, same statements, same count."""
    await phone_accounts.register(api.context, PHONE, "王五", PASSWORD)
    gone = await phone_accounts.register(api.context, THIRD, "赵六", PASSWORD)
    await accounts.disable(api.context, "platform", gone.id)
    path, extra = {
        "register": ("/v1/auth/register", {"name": "王五"}),
        "sign_in": ("/v1/auth/login/code", {}),
        "password": ("/v1/auth/password", {"new": "王五王五王五王五1234"}),
    }[purpose]
    seen = []
    for number in (PHONE, OTHER, THIRD):
        caller = Phone(api, number, ATTACKER)
        with statements() as sql:
            asked = await caller.ask(purpose)
        story: list[Any] = [(asked.status_code, told(asked.json())), len(sql)]
        real = await OneTimeCode.all().order_by("-id").first()
        assert real is not None
        for _ in range(6):
            with statements() as sql:
                body = {"phone": number, "code": "000000", **extra}
                answer = await caller.post(path, **body)
            story.append((answer.status_code, told(answer.json()), len(sql)))
        again = await caller.ask(purpose)
        story.append((again.status_code, told(again.json())))
        seen.append(story)
    assert seen[0] == seen[1] == seen[2]
    assert await SmsMessage.all().count() == 3


async def test_a_password_sign_in_tells_no_more_for_numbers(api: Api) -> None:
    await phone_accounts.register(api.context, PHONE, "王五", PASSWORD)
    await phone_accounts.register(api.context, THIRD, "赵六")  # without a password
    stories = []
    for number in (PHONE, OTHER, THIRD):
        with statements() as sql:
            answer = await Phone(api, address=ATTACKER).sign_in("wrong", number)
        stories.append((answer.status_code, told(answer.json()), len(sql)))
    assert stories[0] == stories[1] == stories[2]


async def test_writing_a_number_differently_gives_no_more_tries(api: Api) -> None:
    await phone_accounts.register(api.context, PHONE, "王五", PASSWORD)
    attacker = Phone(api, address=ATTACKER)
    forms = ["13800138000", "+8613800138000", "138-0013-8000", "+86 138 0013 8000"]
    with api.settings(login_tries=4):
        for form in forms:
            assert (await attacker.sign_in("wrong", form)).status_code == 401
        for form in (*forms, "(138)00138000", " １３８００１３８０００"):
            assert (await attacker.sign_in("wrong", form)).status_code == 429, form


async def test_who_asks_for_codes_shuts_nobody_out(api: Api) -> None:
    """With every message of the day used up and every code locked, the owner still gets in."""
    victim = await Phone(api).register()
    attacker = Phone(api, address=ATTACKER)
    sent = 1
    while api.time.ahead < timedelta(hours=20):
        api.time.ahead += timedelta(minutes=13)
        answer = await attacker.ask("sign_in")
        if answer.status_code != 202:
            continue
        sent += 1
        code = await code_to(api.context, PHONE)
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        for _ in range(6):
            tried = await attacker.post("/v1/auth/login/code", phone=PHONE, code=wrong)
            assert tried.status_code in (403, 429)
        assert (await attacker.post("/v1/auth/login/code", phone=PHONE, code=code)).is_error
    assert sent == 10
    assert (await victim.ask("sign_in")).status_code == 429  # no code today …
    assert (await victim.sign_in()).status_code == 200  # … but the password
    other_device = Phone(api, address="203.0.113.99")
    assert (await other_device.sign_in()).status_code == 200


async def test_a_session_outlives_what_is_done_to_its_number(api: Api) -> None:
    """The known device: its refresh token is good whatever somebody else asks or guesses."""
    victim = Phone(api)
    code = await victim.code("register")
    body = {"phone": PHONE, "code": code, "name": "王五", "password": PASSWORD}
    tokens = (await victim.post("/v1/auth/register", **body)).json()
    attacker = Phone(api, address=ATTACKER)
    with api.settings(login_tries=2):
        for _ in range(4):
            await attacker.sign_in("wrong")
        api.time.ahead += timedelta(minutes=14)
        for _ in range(2):
            await attacker.sign_in("wrong")
            await attacker.ask("password")
        assert (await victim.sign_in()).status_code == 429
        fresh = await victim.post("/v1/auth/refresh", refresh_token=tokens["refresh_token"])
        assert fresh.status_code == 200
        victim.headers = bearer(fresh.json()["access_token"])
        assert await victim.is_in()


async def test_locked_passwords_leave_the_code_and_the_other_way_round(api: Api) -> None:
    victim = await Phone(api).register()
    attacker = Phone(api, address=ATTACKER)
    with api.settings(login_tries=3):
        for _ in range(4):
            await attacker.sign_in("wrong")
        assert (await victim.sign_in()).status_code == 429
        api.time.ahead += MINUTE
        code = await victim.code("sign_in")
        answer = await victim.post("/v1/auth/login/code", phone=PHONE, code=code)
        assert answer.status_code == 200


async def test_spraying_guesses_over_many_numbers(api: Api) -> None:
    """Right or wrong number, code or none: every guess from an address counts against it."""
    await phone_accounts.register(api.context, PHONE, "王五")
    attacker = Phone(api, address=ATTACKER)
    with api.settings(address_tries=10):
        statuses = [
            (
                await attacker.post(
                    "/v1/auth/login/code", phone=f"+861380013{n:04d}", code="123456"
                )
            ).status_code
            for n in range(15)
        ]
        assert statuses == [403] * 10 + [429] * 5
        honest = Phone(api, OTHER)
        assert (await honest.register()).headers
    assert await LoginFailure.all().count() == 10  # those that were right are taken back


async def test_a_header_makes_no_other_address(api: Api) -> None:
    attacker = Phone(api, address=ATTACKER)

    async def ask(n: int, **headers: str) -> int:
        attacker.number = f"+861380013{n:04d}"
        attacker.headers = headers
        return (await attacker.ask("register")).status_code

    with limits(api, codes_per_address=3):
        statuses = [
            await ask(n, **{"X-Forwarded-For": f"192.0.2.{n}", "Forwarded": f"for=192.0.2.{n}"})
            for n in range(6)
        ]
        assert statuses == [202, 202, 202, 429, 429, 429]
        assert set(await OneTimeCode.all().values_list("address", flat=True)) == {ATTACKER}
        # A proxy that is declared lends its word, and only as far as it wrote it itself.
        http = api.context.settings.http.model_copy(
            update={"trusted_proxies": (IPv4Network("198.51.100.66/32"),)}
        )
        api.context.settings = api.context.settings.model_copy(update={"http": http})
        statuses = [
            await ask(10 + n, **{"X-Forwarded-For": f"10.9.8.{n}, 192.0.2.7"}) for n in range(4)
        ]
        assert statuses == [202, 202, 202, 429]
    rows = await OneTimeCode.filter(address="192.0.2.7").count()
    assert rows == 3


async def test_a_code_that_was_under_way_when_things_changed(api: Api) -> None:
    wang = await Phone(api).register()
    account = await Account.get()
    api.time.ahead += MINUTE
    code = await wang.code("sign_in")
    await accounts.disable(api.context, "platform", account.id)
    body = {"phone": PHONE, "code": code}
    refused = await wang.post("/v1/auth/login/code", **body)
    assert (refused.status_code, code_of(refused)) == (401, "wrong-credentials")
    await accounts.enable(api.context, "platform", account.id)
    # Not used up by what came to nothing, and good for the one who holds the number …
    assert (await wang.post("/v1/auth/login/code", **body)).status_code == 200
    api.time.ahead += MINUTE
    code = await wang.code("sign_in")
    wang.headers = bearer((await wang.sign_in()).json()["access_token"])
    assert (await wang.post("/v1/me/phone/codes", phone=OTHER)).status_code == 202
    moved = {"phone": OTHER, "code": await code_to(api.context, OTHER), "password": PASSWORD}
    assert (await wang.post("/v1/me/phone", **moved)).status_code == 204
    # … but no longer when the number is another's.
    late = await Phone(api).post("/v1/auth/login/code", phone=PHONE, code=code)
    assert (late.status_code, code_of(late)) == (401, "wrong-credentials")


async def test_two_accounts_that_want_one_number_at_once(api: Api) -> None:
    first, second = await Phone(api).register(), await Phone(api, OTHER).register("张三")
    bodies = []
    for phone in (first, second):
        assert (await phone.post("/v1/me/phone/codes", phone=THIRD)).status_code == 202
        code = await code_to(api.context, THIRD)
        bodies.append({"phone": THIRD, "code": code, "password": PASSWORD})
        api.time.ahead += MINUTE
    answers = await asyncio.gather(
        *(
            phone.post("/v1/me/phone", **body)
            for phone, body in zip((first, second), bodies, strict=True)
            for _ in range(4)
        )
    )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 401, 403, 409}
    assert await Account.all().count() == 2


async def test_a_code_signs_in_once_however_often_it_is_shown(api: Api) -> None:
    wang = await Phone(api).register()
    api.time.ahead += MINUTE
    body = {"phone": PHONE, "code": await wang.code("sign_in")}
    before = await SignInSession.all().count()
    answers = await asyncio.gather(*(wang.post("/v1/auth/login/code", **body) for _ in range(20)))
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert await SignInSession.all().count() == before + 1


async def test_a_code_of_one_purpose_opens_nothing_else(api: Api) -> None:
    wang = await Phone(api).register()
    codes = {}
    for purpose in ("sign_in", "password"):
        api.time.ahead += MINUTE
        codes[purpose] = await wang.code(purpose)
    api.time.ahead += MINUTE
    codes["phone"] = await wang.own_code("phone")
    tries = [
        ("/v1/auth/login/code", {"phone": PHONE}, "code", "sign_in"),
        ("/v1/auth/password", {"phone": PHONE, "new": NEW}, "code", "password"),
        ("/v1/me/password/code", {"new": NEW}, "code", "password"),
        ("/v1/me/deletion", {}, "own_code", "delete"),
        ("/v1/auth/register", {"phone": PHONE, "name": "x"}, "code", "register"),
    ]
    for path, body, name, right in tries:
        for purpose, code in codes.items():
            if purpose != right and code != codes.get(right):
                answer = await wang.post(path, **body, **{name: code})
                assert answer.status_code in (403, 429), (path, purpose)
    assert await wang.is_in()
    assert await Account.all().count() == 1


WORST: list[Any] = [
    None,
    "",
    "\x00",
    "\ud800",
    "1" * 10_000,
    "٠١٢٣٤٥",
    10**400,
    -1,
    True,
    [],
    {},
    ["13800138000"],
    "13800138000\n",
    "<b>",
    "'; DROP TABLE business_account; --",
]
OPEN = {
    "/v1/auth/codes": {"phone": PHONE, "purpose": "sign_in"},
    "/v1/auth/register": {"phone": PHONE, "code": "000000", "name": "x", "password": PASSWORD},
    "/v1/auth/login/code": {"phone": PHONE, "code": "000000"},
    "/v1/auth/password": {"phone": PHONE, "code": "000000", "new": NEW},
    "/v1/me/codes": {"purpose": "phone"},
    "/v1/me/phone/codes": {"phone": OTHER},
    "/v1/me/phone": {"phone": OTHER, "code": "000000", "password": "x", "own_code": "000000"},
    "/v1/me/password/code": {"code": "000000", "new": NEW},
    "/v1/me/deletion": {"own_code": "000000"},
}


@pytest.mark.parametrize("path", OPEN)
async def test_the_worst_of_values(api: Api, path: str) -> None:
    wang = await Phone(api).register()
    good = OPEN[path]
    for name in [*good, "unknown"]:
        for value in WORST:
            body = json.dumps(good | {name: value})
            answer = await wang.call(
                "POST", path, content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code in (202, 403, 422, 429), (name, value, answer.text)
            assert answer.headers["content-type"] == (
                "application/json" if answer.status_code == 202 else "application/problem+json"
            )
            if isinstance(value, str) and len(value) > 20:
                assert value[:20] not in answer.text
    assert await wang.is_in()


async def test_no_word_of_code_or_number_is_written_down(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is done: not in audit lines or answers; in the log only by the local provider."""
    wang = await Phone(api).register()
    codes = [await code_to(api.context, PHONE)]
    await wang.post("/v1/me/phone/codes", phone=OTHER)
    codes.append(await code_to(api.context, OTHER))
    body = {"phone": OTHER, "code": codes[-1], "password": PASSWORD}
    answers = [await wang.post("/v1/me/phone", **body)]
    answers += [await wang.post("/v1/me/phone", **body | {"code": secrets.token_hex(3)[:6]})]
    answers += [await wang.post("/v1/me/deletion", password=PASSWORD)]
    lines = [(line.action, line.object, line.facts) for line in await AuditEvent.all()]
    printed = "\n".join(
        line for line in capsys.readouterr().out.splitlines() if "sms.message.kept" not in line
    )
    text = f"{lines} {[answer.text for answer in answers]} {printed}"
    for secret in ("13800138000", "13900139000", PASSWORD, "王五"):
        assert secret not in text
    for code in codes:  # as a word: ids are full of digits
        assert re.search(rf"(?<![0-9A-Za-z.]){code}(?![0-9A-Za-z.])", text) is None
    assert len(await texts_to(api.context, PHONE)) >= 1
