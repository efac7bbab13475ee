import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from business_api.devices import live
from business_api.devices.live_feed import MOST_PER_ACCOUNT
from business_api.service import HttpService
from foundation.settings import Http
from tests.business_api.conftest import Estate
from tests.business_api.devices.conftest import Doors
from tests.business_api.devices.streams import Server, Stream, serving
from tests.support.until import until


@pytest.fixture
async def server(doors: Doors) -> AsyncIterator[Server]:
    context = doors.api.context
    http = Http(port=0, tls_port=None)
    context.settings = context.settings.model_copy(update={"http": http})
    async with serving(HttpService(context)) as running:
        yield running


async def ready(stream: Stream) -> None:
    await until(lambda: stream.named("ready"))


async def test_a_console_sees_stations_come_and_go_and_doors_open(doors: Doors, server: Server):
    door, box = await doors.station()
    await doors.station("西门")
    async with server.live(doors.staff) as stream:
        await ready(stream)
        assert stream.retry == 3000
        await box.leave("timeout")
        await until(lambda: stream.named("presence"))
        [moved] = stream.data("presence")
        assert [(row["station_id"], row["presence"], row["reason"]) for row in moved] == [
            (door, "offline", "timeout")
        ]
        await box.arrive()
        await until(lambda: stream.data("presence")[-1][0]["presence"] == "online")
        told = (await doors.open(door, doors.lin)).json()
        await until(lambda: any(row["outcome"] == "executed" for row in stream.data("opening")))
        last = stream.data("opening")[-1]
        assert (last["id"], last["by_name"]) == (told["command_id"], "Lin")
        listed = await doors.get("/openings", doors.staff)
        assert listed.json()["items"] == [last]
    assert all(len(rows) == 1 for rows in stream.data("presence"))


async def test_a_resident_sees_its_doors_and_its_houses(doors: Doors, server: Server):
    gate, box = await doors.station()
    villa = str(doors.estate.villa.id)
    _, far = await doors.station("2号楼", position="building", place_id=villa)
    wang, _ = await doors.resident("wang", doors.estate.home)
    async with server.live(doors.lin) as mine, server.live(doors.staff) as all_:
        await ready(mine)
        await ready(all_)
        await doors.open(gate, wang)
        await doors.open(gate, doors.staff)
        await doors.open(gate, doors.lin)
        await far.leave()
        await box.leave()
        await until(lambda: len({row["id"] for row in all_.data("opening")}) == 3)
        await until(lambda: sum(map(len, all_.data("presence"))) == 2)
        await until(lambda: mine.data("opening") and mine.data("presence"))
        assert {row["by_name"] for row in mine.data("opening")} == {"Lin"}
        assert {row["station_id"] for rows in mine.data("presence") for row in rows} == {gate}


async def test_another_community_hears_nothing(doors: Doors, server: Server, elsewhere: Estate):
    door, box = await doors.station()
    async with server.live(elsewhere.headers) as theirs, server.live(doors.staff) as ours:
        await ready(theirs)
        await ready(ours)
        await box.leave()
        await doors.open(door, doors.staff)
        await until(lambda: ours.named("opening") and ours.named("presence"))
        assert {event.name for event in theirs.events} == {"ready"}


async def test_a_stream_goes_on_where_it_was_cut(doors: Doors, server: Server):
    door, box = await doors.station()
    async with server.live(doors.staff) as stream:
        await ready(stream)
        first = (await doors.open(door, doors.lin)).json()["command_id"]
        await until(lambda: any(row["outcome"] == "executed" for row in stream.data("opening")))
        last = stream.named("opening")[-1].id
    second = (await doors.open(door, doors.lin)).json()["command_id"]
    box.answer = None
    third = (await doors.open(door, doors.lin)).json()["command_id"]
    async with server.live(doors.staff, last) as stream:
        await ready(stream)
        assert [event.name for event in stream.events] == ["opening", "opening", "ready"]
        assert [row["id"] for row in stream.data("opening")] == [second, third]
        last = stream.named("opening")[-1].id
    await box.happened("remote.open", cmd_id=third, result="ok")
    async with server.live(doors.staff, last) as stream:
        await ready(stream)
        assert [(row["id"], row["outcome"]) for row in stream.data("opening")] == [
            (third, "executed")
        ]
    async with server.live(doors.lin, last) as stream:
        await ready(stream)
        assert [row["id"] for row in stream.data("opening")] == [third]
    assert first not in (second, third)


async def test_what_cannot_be_gone_on_from_is_read_again(doors: Doors, server: Server):
    now = datetime.now(UTC)
    for last in (
        "nonsense",
        "2026-01-01",
        f"{now.isoformat()}/01J00000000000000000000000/executed",
        f"{(now - timedelta(days=9)).isoformat()}/x/y",
    ):
        async with server.live(doors.staff, last) as stream:
            await ready(stream)
            assert [(event.name, event.id) for event in stream.events] == [
                ("resync", ""),
                ("ready", None),
            ]


async def test_signing_out_ends_the_stream(doors: Doors, server: Server):
    headers = await doors.api.headers("admin")
    async with server.live(headers) as stream, server.live(doors.staff) as other:
        await ready(stream)
        await ready(other)
        assert (await doors.post("/auth/logout", headers)).status_code == 204
        await asyncio.wait_for(stream.ended.wait(), 5)
        assert stream.events[-1].name == "end"
        assert stream.events[-1].data == {"reason": "signed_out"}
        assert not other.ended.is_set()


async def test_a_stream_ends_with_its_token(
    doors: Doors, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "PING_SECONDS", 0.2)
    async with server.live(doors.staff) as stream:
        await until(lambda: len(stream.named("ping")) > 1)
        doors.api.time.ahead = timedelta(minutes=16)
        await asyncio.wait_for(stream.ended.wait(), 5)
        assert stream.data("end") == [{"reason": "signed_out"}]


async def test_who_moves_out_sees_no_more(
    doors: Doors, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "PING_SECONDS", 0.1)
    _, box = await doors.station()
    url = f"/v1/houses/{doors.estate.flat.id}/residents/{doors.lin_id}"
    async with server.live(doors.lin) as mine, server.live(doors.staff) as all_:
        await ready(mine)
        await ready(all_)
        await doors.api.client.delete(url, headers=doors.staff)
        pings = len(mine.named("ping"))
        await until(lambda: len(mine.named("ping")) > pings + 8)
        await box.leave()
        await until(lambda: all_.named("presence"))
        assert mine.named("presence") == []


async def test_a_stopping_server_ends_its_streams(doors: Doors, server: Server):
    async with server.live(doors.staff) as stream:
        await ready(stream)
        server.stop.set()
        await asyncio.wait_for(stream.ended.wait(), 5)
        assert stream.data("end") == [{"reason": "stopping"}]


async def test_an_account_has_so_many_streams(doors: Doors, server: Server):
    async with AsyncExitStack() as streams:
        for _ in range(MOST_PER_ACCOUNT):
            stream = await streams.enter_async_context(server.live(doors.staff))
            await ready(stream)
        with pytest.raises(AssertionError, match=r"429 .*too-many-streams"):
            await streams.enter_async_context(server.live(doors.staff))
        async with server.live(doors.lin) as other:
            await ready(other)

    async def room_again() -> bool:
        try:
            async with server.live(doors.staff) as stream:
                await ready(stream)
        except AssertionError:
            return False
        return True

    await until(room_again)


async def test_a_stream_is_for_who_is_signed_in(server: Server):
    with pytest.raises(AssertionError, match="401"):
        async with server.live({}):
            pass
