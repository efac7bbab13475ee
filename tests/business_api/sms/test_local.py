"""The provider that keeps messages here, its page for developers, and notices by the outbox."""

import base64
import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import structlog
from pydantic import SecretStr
from tortoise.transactions import in_transaction

from business_api import sms
from business_api.sms import local, notices, templates
from business_api.sms.models import SmsMessage
from foundation import db, outbox
from foundation.models import OutboxMessage
from foundation.settings import Database
from foundation.settings_outside import Sms
from tests.business_api.conftest import Api
from tests.support.sms import texts_to
from tests.support.until import until

PHONE = "+8613800138000"
CODE = {"code": "271828", "minutes": "10"}


@pytest.fixture(autouse=True)
def page(api: Api) -> None:
    """The page is wanted."""
    wanted = Sms(developer_page=True)
    api.context.settings = api.context.settings.model_copy(update={"sms": wanted})


async def send(api: Api, params: dict[str, str] = CODE, template: str = "code_sign_in") -> None:
    await sms.sender(api.context).send(PHONE, template, params, "zh")


@asynccontextmanager
async def caller(
    api: Api, address: str, host: str = "localhost"
) -> AsyncIterator[httpx.AsyncClient]:
    far = httpx.ASGITransport(api.app, client=(address, 1))
    async with httpx.AsyncClient(transport=far, base_url=f"http://{host}:8080") as client:
        yield client


async def test_a_message_is_kept_and_logged_with_the_number_masked(api: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        await send(api)
    assert [line["event"] for line in logs] == ["sms.message.kept"]
    assert logs[0]["to"] == "138****8000"
    assert "271828" in logs[0]["text"]
    kept = (await local.latest(api.context))[0]
    assert (kept.phone, kept.template) == (PHONE, "code_sign_in")
    assert "271828" in kept.text


async def test_neither_number_nor_code_is_in_the_database(api: Api, database: Database) -> None:
    await send(api)
    row = await SmsMessage.get()
    assert b"13800138000" not in row.phone_sealed
    assert b"271828" not in row.text_sealed
    path = db.sqlite_path(database)
    if path is not None:
        with sqlite3.connect(path) as raw:
            dump = "\n".join(map(str, raw.execute("SELECT * FROM business_sms_message")))
        assert "8000138" not in dump
        assert "271828" not in dump


@pytest.mark.parametrize("name", templates.TEXTS)
def test_every_template_in_both_languages(name: str) -> None:
    chinese, english = (templates.render(name, CODE, language) for language in ("zh", "en"))
    assert chinese.startswith("【邻里】")
    assert english.startswith("[linli] ")
    assert re.search("[\u4e00-\u9fff]", english) is None
    assert ("271828" in chinese) == ("271828" in english) == name.startswith("code_")


def test_words_of_others_are_no_format() -> None:
    assert templates.render("x", {"text": "{code} {0.__class__}"}, "en") == (
        "[linli] {code} {0.__class__}"
    )


async def test_the_page_for_developers(api: Api) -> None:
    async with caller(api, "127.0.0.1") as here:
        empty = await here.get("/developer/messages")
        assert empty.status_code == 200
        assert "还没有短信" in empty.text
        await send(api, {"text": "<script>alert(1)</script>"}, "message")
        await send(api)
        page = await here.get("/developer/messages")
        english = await here.get("/developer/messages?lang=en")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    # A sandboxed page would not refresh itself (HTML, the flag of automatic features).
    assert (page.headers["refresh"], "sandbox" in policy) == ("5", False)
    assert page.headers["cache-control"] == "no-store"
    assert "271828" in page.text
    assert "138****8000" in page.text
    assert "13800138000" not in page.text
    assert "<script>" not in page.text
    assert "Messages for developers" in english.text
    assert english.headers["content-language"] == "en"


async def test_the_style_is_the_one_that_the_policy_allows(api: Api) -> None:
    async with caller(api, "127.0.0.1") as here:
        page = await here.get("/developer/messages")
    style = re.search("<style>(.*)</style>", page.text)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("address", "host", "headers"),
    [
        ("203.0.113.9", "localhost", {}),
        ("203.0.113.9", "localhost", {"X-Forwarded-For": "127.0.0.1"}),
        ("203.0.113.9", "localhost", {"Forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", "localhost", {"X-Forwarded-For": "203.0.113.9"}),  # an undeclared proxy
        ("127.0.0.1", "evil.example", {}),  # a name that points here
        ("::ffff:203.0.113.9", "localhost", {}),
        ("", "localhost", {}),
    ],
)
async def test_the_page_is_for_this_machine_only(
    api: Api, address: str, host: str, headers: dict[str, str]
) -> None:
    await send(api)
    async with caller(api, address, host) as far:
        answer = await far.get("/developer/messages", headers=headers)
    assert answer.status_code == 404
    assert "271828" not in answer.text


async def test_the_page_is_there_only_when_it_is_wanted(api: Api) -> None:
    """Else a proxy that tells nothing of itself would show every code to everybody."""
    await send(api)
    api.context.settings = api.context.settings.model_copy(update={"sms": Sms()})
    async with caller(api, "127.0.0.1") as here:
        assert (await here.get("/developer/messages")).status_code == 404


async def test_the_page_is_not_there_with_a_real_provider(api: Api) -> None:
    await send(api)
    real = Sms(
        provider="aliyun",
        developer_page=True,
        access_key_id=SecretStr("id"),
        access_key_secret=SecretStr("secret"),
        sign_name="邻里",
    )
    api.context.settings = api.context.settings.model_copy(update={"sms": real})
    async with caller(api, "127.0.0.1") as here:
        assert (await here.get("/developer/messages")).status_code == 404
    document = (await api.client.get("/openapi.json")).json()
    assert "/developer/messages" not in document["paths"]


async def test_a_notice_goes_out_with_the_fact_and_its_number_waits_sealed(api: Api) -> None:
    async with in_transaction():
        await notices.post(api.context, PHONE, "phone_changed", "zh")
    waiting = await OutboxMessage.get(topic=notices.TOPIC)
    assert "13800138000" not in f"{waiting.payload} {waiting.key}"
    async with api.background():
        api.context.wake.kick(outbox.TOPIC)
        await until(lambda: texts_to(api.context, PHONE))
        await until(_gone)
    assert "其他手机号" in (await texts_to(api.context, PHONE))[0]


async def _gone() -> bool:
    return not await OutboxMessage.exists(topic=notices.TOPIC)


async def test_a_notice_whose_fact_is_rolled_back_is_none(api: Api) -> None:
    async def fact() -> None:
        async with in_transaction():
            await notices.post(api.context, PHONE, "phone_changed", "zh")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fact()
    assert not await OutboxMessage.exists(topic=notices.TOPIC)
