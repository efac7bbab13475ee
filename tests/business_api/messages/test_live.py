import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from business_api.messages import live
from business_api.messages.live import REPLAYED, told_of
from business_api.messages.models import Lane, Message
from business_api.service import HttpService
from business_api.streams import MOST_PER_ACCOUNT
from foundation.settings import Http
from tests.business_api.conftest import Api, Estate, bearer
from tests.business_api.devices.streams import Server, Stream, serving
from tests.business_api.messages.desk import KIND, told
from tests.support.until import until

PATH = "/v1/me/messages/live"


@pytest.fixture
async def server(api: Api) -> AsyncIterator[Server]:
    http = Http(port=0, tls_port=None)
    api.context.settings = api.context.settings.model_copy(update={"http": http})
    async with serving(HttpService(api.context)) as running:
        yield running


async def ready(stream: Stream) -> None:
    await until(lambda: stream.named("ready"))


async def test_what_one_is_told_appears_in_ones_open_apps_only(
    api: Api, park: Estate, elsewhere: Estate, server: Server
):
    english = park.headers | {"Accept-Language": "en"}
    async with (
        server.live(park.headers, path=PATH) as one,
        server.live(english, path=PATH) as two,
        server.live(elsewhere.headers, path=PATH) as other,
    ):
        for stream in (one, two, other):
            await ready(stream)
        await told(api.context, [park.admin.id])
        await until(lambda: one.named("message") and two.named("message"))
        await told(api.context, [elsewhere.admin.id], key="2")
        await until(lambda: other.named("message"))
        assert (one.retry, len(one.named("message")), len(other.named("message"))) == (3000, 1, 1)
    [item] = (await api.client.get("/v1/me/messages", headers=park.headers)).json()["items"]
    assert one.data("message") == [item]
    assert two.data("message")[0]["title"] == "Your certification is approved"


async def test_a_stream_goes_on_where_it_was_cut(api: Api, park: Estate, server: Server):
    me = park.admin.id
    async with server.live(park.headers, path=PATH) as stream:
        await ready(stream)
        await told(api.context, [me])
        [event] = await until(lambda: stream.named("message"))
    for key in ("2", "3", "4"):
        await told(api.context, [me], key=key)

    async def all_routed() -> bool:
        return not await Message.exists(round=None)

    await until(all_routed)
    async with server.live(park.headers, event.id, path=PATH) as stream:
        await ready(stream)
        rows = await Message.exclude(key="1").order_by("round", "id")
        assert [item["id"] for item in stream.data("message")] == [str(row.id) for row in rows]
        assert stream.events[-1].name == "ready"
        assert stream.named("message")[-1].id == str(rows[-1].round)


async def test_what_was_told_while_nobody_watched_is_for_the_list(
    api: Api, park: Estate, server: Server
):
    async with server.live(park.headers, path=PATH) as stream:
        await ready(stream)
    await told(api.context, [park.admin.id])

    async def routed() -> bool:
        return await Message.filter(round=1).exists()

    await until(routed)
    async with server.live(park.headers, path=PATH) as stream:
        await ready(stream)
        await told(api.context, [park.admin.id], key="2")
        await until(lambda: stream.named("message"))
        assert len(stream.named("message")) == 1


@pytest.mark.parametrize("last", ["x", "-1", "1e3", "9" * 19, "999999", "1/2"])
async def test_what_cannot_be_gone_on_from_is_read_again(
    api: Api, park: Estate, server: Server, last: str
):
    async with server.live(park.headers, last, path=PATH) as stream:
        await ready(stream)
        assert [(event.name, event.id) for event in stream.events] == [
            ("resync", ""),
            ("ready", None),
        ]


async def test_who_missed_too_much_reads_the_list(api: Api, park: Estate, server: Server):
    rows = [
        Message(
            account_id=park.admin.id,
            kind=KIND,
            key=str(number),
            params={},
            lane=Lane.FEW,
            created_at=api.time(),
        )
        for number in range(REPLAYED + 1)
    ]
    await told(api.context, [park.admin.id], key="first")
    await until(lambda: Message.filter(round=1).exists())
    await Message.bulk_create(rows)
    async with server.live(park.headers, "0", path=PATH) as stream:
        await until(lambda: Message.filter(round__not_isnull=True).count(), 5)

    async def all_routed() -> bool:
        return not await Message.exists(round=None)

    await until(all_routed)
    async with server.live(park.headers, "0", path=PATH) as stream:
        await ready(stream)
        assert [event.name for event in stream.events] == ["resync", "ready"]


def test_only_the_last_of_a_round_has_its_id():
    rows = [
        Message(kind=KIND, key=str(number), round=round_, params={}, lane=Lane.FEW)
        for number, round_ in enumerate((1, 1, 2, 3, 3))
    ]
    assert [told.id for told in told_of(rows)] == [None, 1, 2, None, 3]
    assert told_of([]) == []


async def test_signing_out_ends_the_stream_and_so_many_are_allowed(
    api: Api, park: Estate, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "PING_SECONDS", 0.2)
    mine = bearer((await api.tokens("admin"))["access_token"])
    async with AsyncExitStack() as streams:
        for _ in range(MOST_PER_ACCOUNT - 1):
            await ready(await streams.enter_async_context(server.live(park.headers, path=PATH)))
        stream = await streams.enter_async_context(server.live(mine, path=PATH))
        await until(lambda: stream.named("ping"))
        with pytest.raises(AssertionError, match=r"429 .*too-many-streams"):
            await streams.enter_async_context(server.live(park.headers, path=PATH))
        assert (await api.client.post("/v1/auth/logout", headers=mine)).status_code == 204
        await asyncio.wait_for(stream.ended.wait(), 5)
        assert stream.data("end") == [{"reason": "signed_out"}]
    with pytest.raises(AssertionError, match="401"):
        async with server.live({}, path=PATH):
            pass


async def test_a_stopping_server_ends_its_streams(api: Api, park: Estate, server: Server):
    async with server.live(park.headers, path=PATH) as stream:
        await ready(stream)
        server.stop.set()
        await asyncio.wait_for(stream.ended.wait(), 5)
        assert stream.data("end") == [{"reason": "stopping"}]
