"""WeChat subscription messages against a local server that behaves like WeChat's."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from business_api.messages import worker
from business_api.messages.models import Delivery, DeliveryState, WeChatBinding
from business_api.messages.wechat_channel import WeChatChannel
from business_api.messages.wechat_client import WeChatClient, WeChatRefused, WeChatUnavailable
from foundation import conditions
from foundation.settings_outside import WeChat, WeChatTemplate
from tests.business_api.conftest import Api, Estate
from tests.business_api.messages.desk import KIND, people, posting, told
from tests.business_api.messages.peer import Answer, Request, peer
from tests.support.until import until

SECRET = "the-app-secret"


@dataclass
class Server:
    """WeChat, as far as we use it."""

    token: str = "token-0"
    tokens: int = 0
    forced: int = 0
    sent: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    """By openid: what it answers."""
    broken: bool = False

    def answer(self, request: Request) -> Answer:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = json.loads(request.body) if request.body else {}
        self.paths.append(parts.path)
        if self.broken:
            return Answer(502, b"<html>")
        match parts.path:
            case "/cgi-bin/stable_token":
                return self._ok(self._give(body))
            case "/sns/jscode2session":
                assert (query["appid"], query["secret"]) == ("wx1", SECRET)
                known = query["js_code"].removeprefix("code-of-")
                if known == query["js_code"]:
                    return self._ok({"errcode": 40029, "errmsg": "invalid code"})
                return self._ok({"openid": known, "session_key": "x"})
            case "/cgi-bin/message/subscribe/send":
                if query["access_token"] != self.token:
                    return self._ok({"errcode": 40001, "errmsg": "invalid credential"})
                if error := self.errors.get(body["touser"]):
                    return self._ok({"errcode": error, "errmsg": "no"})
                self.sent.append(body)
                return self._ok({"errcode": 0, "errmsg": "ok"})
        return Answer(404)

    def _give(self, body: dict[str, Any]) -> dict[str, Any]:
        assert (body["appid"], body["grant_type"]) == ("wx1", "client_credential")
        if body["secret"] != SECRET:
            return {"errcode": 40125, "errmsg": "invalid appsecret"}
        self.tokens += 1
        if body["force_refresh"]:
            self.forced += 1
            self.token = f"token-{self.forced}"
        return {"access_token": self.token, "expires_in": 7200}

    def _ok(self, body: dict[str, Any]) -> Answer:
        return Answer(200, json.dumps(body).encode())


@pytest.fixture
async def server(api: Api) -> AsyncIterator[Server]:
    here = Server()
    async with peer(here.answer) as at:
        template = WeChatTemplate(
            id="T1", fields={"thing1": "house", "thing2": "body", "time3": "no"}, page="pages/x"
        )
        group = WeChat(
            app_id="wx1", app_secret=SecretStr(SECRET), url=at.url, templates={KIND: template}
        )
        api.context.settings = api.context.settings.model_copy(update={"wechat": group})
        yield here


async def bind(api: Api, headers: dict[str, str], code: str) -> tuple[int, Any]:
    answer = await api.client.put("/v1/me/wechat", headers=headers, json={"code": code})
    return answer.status_code, answer.json()


async def settled(count: int = 1) -> bool:
    return await Delivery.filter(next_try=None).count() == count


async def test_who_has_bound_wechat_is_told_there(api: Api, park: Estate, server: Server):
    bound = {"bound": True, "available": True}
    assert await bind(api, park.headers, "code-of-lin") == (200, bound)
    assert (await api.client.get("/v1/me/wechat", headers=park.headers)).json() == bound
    await told(api.context, [park.admin.id, *await people(1, phones=False)])
    await told(api.context, [park.admin.id], kind="certification.submitted", name="x")
    async with posting(api.context, WeChatChannel(api.context)):
        await until(settled)
    assert server.sent == [
        {
            "touser": "lin",
            "template_id": "T1",
            "page": "pages/x",
            "data": {
                "thing1": {"value": "1号楼 0101"},
                "thing2": {"value": "您对1号楼 0101的认证已通过审核。"[:20]},
                "time3": {"value": ""},
            },
        }
    ]
    row = await WeChatBinding.get()
    assert b"lin" not in row.openid_sealed
    answer = await api.client.delete("/v1/me/wechat", headers=park.headers)
    assert answer.status_code == 204
    assert await WeChatBinding.all().count() == 0


async def test_one_person_there_is_one_account_here(
    api: Api, park: Estate, elsewhere: Estate, server: Server
):
    await bind(api, park.headers, "code-of-lin")
    await bind(api, park.headers, "code-of-wang")
    await bind(api, elsewhere.headers, "code-of-wang")
    assert [row.account_id for row in await WeChatBinding.all()] == [elsewhere.admin.id]


async def test_what_cannot_be_bound(api: Api, park: Estate, server: Server):
    status, body = await bind(api, park.headers, "made-up")
    assert (status, body["type"]) == (422, "/problems/bad-wechat-code")
    for code in ("", "x" * 129, "a b", "\0", "微"):
        assert (await bind(api, park.headers, code))[0] == 422
    server.broken = True
    status, body = await bind(api, park.headers, "code-of-lin")
    assert (status, body["type"]) == (503, "/problems/wechat-unavailable")
    assert SECRET not in json.dumps(body)
    api.context.settings = api.context.settings.model_copy(update={"wechat": WeChat()})
    status, body = await bind(api, park.headers, "code-of-lin")
    assert (status, body["type"]) == (503, "/problems/wechat-off")


async def test_a_token_is_asked_for_once_and_again_before_it_ends(api: Api, server: Server):
    client = WeChatClient(api.context)
    await asyncio.gather(*(client.send(f"p{number}", "T1", {}, "") for number in range(20)))
    assert (server.tokens, server.forced) == (1, 0)
    api.time.ahead = timedelta(minutes=116)
    await client.send("lin", "T1", {}, "")
    assert (server.tokens, server.forced) == (2, 0)


async def test_a_token_that_was_taken_back_is_replaced_once_for_all(api: Api, server: Server):
    client = WeChatClient(api.context)
    await client.send("lin", "T1", {}, "")
    server.token = "taken back"
    await asyncio.gather(*(client.send(f"p{number}", "T1", {}, "") for number in range(20)))
    assert (server.tokens, server.forced) == (2, 1)
    assert len(server.sent) == 21


@pytest.mark.parametrize(
    ("errcode", "end"),
    [
        (43101, (DeliveryState.SKIPPED, "not_asked_for", True)),
        (40003, (DeliveryState.SKIPPED, "gone", False)),
        (47003, (DeliveryState.DEAD, "refused", True)),
        (40037, (DeliveryState.DEAD, "refused", True)),
    ],
)
async def test_what_wechat_says_of_one_message(
    api: Api, park: Estate, server: Server, errcode: int, end: tuple[DeliveryState, str, bool]
):
    await bind(api, park.headers, "code-of-lin")
    server.errors["lin"] = errcode
    with pytest.raises(WeChatRefused, match=str(errcode)):
        await WeChatClient(api.context).send("lin", "T1", {}, "")
    await told(api.context, [park.admin.id])
    async with posting(api.context, WeChatChannel(api.context)):
        await until(settled)
    row = await Delivery.get()
    assert (row.state, row.error, await WeChatBinding.all().exists()) == end


async def test_wechat_that_is_down_is_waited_for(
    api: Api, park: Estate, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worker, "_FIRST_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr(worker, "_LONGEST_PAUSE", timedelta(milliseconds=50))
    await bind(api, park.headers, "code-of-lin")
    server.broken = True
    await told(api.context, [park.admin.id])
    async with posting(api.context, WeChatChannel(api.context)):
        [trouble] = await until(lambda: conditions.current(None))
        assert (trouble.kind, trouble.subject) == (worker.DOWN, "channel/wechat")
        server.broken = False
        await until(settled)
    row = await Delivery.get()
    assert (row.state, row.attempts, len(server.sent)) == (DeliveryState.SENT, 1, 1)
    assert await conditions.current(None) == []


async def test_the_secret_appears_in_no_error(api: Api, server: Server):
    api.context.settings = api.context.settings.model_copy(
        update={
            "wechat": api.context.settings.wechat.model_copy(
                update={"app_secret": SecretStr("wrong"), "url": "http://127.0.0.1:1"}
            )
        }
    )
    client = WeChatClient(api.context)
    for asking in (client.openid("x"), client.send("lin", "T1", {}, "")):
        with pytest.raises(WeChatUnavailable) as error:
            await asking
        assert "wrong" not in repr(error.value)
        assert error.value.__suppress_context__
