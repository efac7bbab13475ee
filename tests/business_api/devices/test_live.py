import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from business_api.accounts import sessions
from business_api.accounts.models import RoleGrant
from business_api.authz.roles import Role
from business_api.devices import live
from business_api.residents import moves
from business_api.residents.models import Occupancy
from business_api.service import HttpService
from business_api.streams import MOST_PER_ACCOUNT
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


async def test_another_community_hears_nothing(
    doors: Doors, server: Server, elsewhere: Estate, sibling: Estate
):
    door, box = await doors.station()
    here = str(doors.estate.id)
    async with (
        server.live(elsewhere.headers) as theirs,
        server.live(sibling.headers, community_id=here) as curious,
        server.live(doors.staff) as ours,
    ):
        for stream in (theirs, curious, ours):
            await ready(stream)
        await box.leave()
        await doors.open(door, doors.staff)
        await until(lambda: ours.named("opening") and ours.named("presence"))
        assert {event.name for event in theirs.events + curious.events} == {"ready"}


async def test_a_company_watches_its_communities_or_one(
    doors: Doors, server: Server, elsewhere: Estate, sibling: Estate
):
    boss = await doors.staff_member("boss", Role.PROPERTY_ADMIN, doors.estate.company.site)
    estates = (doors.estate, sibling, elsewhere)
    made = [await doors.station(estate.community.name, estate) for estate in estates]
    async with (
        server.live(boss) as company,
        server.live(boss, community_id=str(sibling.id)) as one,
        server.live(doors.operator) as operator,
    ):
        for stream in (company, one, operator):
            await ready(stream)
        for estate, (door, box) in zip(estates, made, strict=True):
            await doors.open(door, estate.headers)
            await box.leave()

        def moved(stream: Stream) -> set[str]:
            return {row["station_id"] for rows in stream.data("presence") for row in rows}

        def opened(stream: Stream) -> set[str]:
            return {row["station_id"] for row in stream.data("opening")}

        park, pine, far = (door for door, _ in made)
        await until(lambda: len(moved(operator)) == 3 and len(opened(company)) == 2)
        await until(lambda: len(moved(company)) == 2 and moved(one))
        assert moved(operator) == {park, pine, far}
        assert opened(operator) == set()  # it watches stations, not people
        assert moved(company) == opened(company) == {park, pine}
        assert moved(one) == opened(one) == {pine}


async def test_more_communities_than_one_stream_watches(
    doors: Doors, server: Server, sibling: Estate, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "MOST_COMMUNITIES", 1)
    boss = await doors.staff_member("boss", Role.PROPERTY_ADMIN, doors.estate.company.site)
    with pytest.raises(AssertionError, match=r"422 .*too-many-communities"):
        async with server.live(boss):
            pass
    async with server.live(boss, community_id=str(sibling.id)) as one:
        await ready(one)


async def test_a_role_that_is_taken_ends_what_it_showed(
    doors: Doors, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "PING_SECONDS", 0.1)
    fitter = await doors.staff_member("fitter", Role.INSTALLER, doors.estate.site)
    async with server.live(fitter) as stream:
        await ready(stream)
        await RoleGrant.filter(account__username="fitter").delete()
        doors.api.context.wake.kick(sessions.TOPIC)
        await asyncio.wait_for(stream.ended.wait(), 5)
        assert stream.data("end") == [{"reason": "resync"}]
    with pytest.raises(AssertionError, match="403"):
        async with server.live(fitter):
            pass


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
    async with server.live(doors.lin) as mine, server.live(doors.staff) as all_:
        await ready(mine)
        await ready(all_)
        await doors.moves_out(doors.lin_id)
        await asyncio.wait_for(mine.ended.wait(), 5)
        await box.leave()
        await until(lambda: all_.named("presence"))
        assert mine.named("presence") == []


async def test_who_gives_up_one_of_two_homes_sees_the_other(
    doors: Doors, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "PING_SECONDS", 0.1)
    tower, villa = (str(one.id) for one in (doors.estate.tower, doors.estate.villa))
    _, first = await doors.station("1号楼", position="building", place_id=tower)
    second_id, second = await doors.station("2号楼", position="building", place_id=villa)
    await doors.api.resident("lin", doors.estate.home)
    async with server.live(doors.lin) as mine, server.live(doors.staff) as all_:
        await ready(mine)
        await ready(all_)
        home = await Occupancy.get(house_id=doors.estate.flat.id, ended_at=None)
        await moves.end(doors.api.context, "platform", home, "ended_by_staff")
        pings = len(mine.named("ping"))
        await until(lambda: len(mine.named("ping")) > pings + 8)
        await first.leave()
        await second.leave()
        await until(lambda: sum(map(len, all_.data("presence"))) == 2)
        await until(lambda: mine.named("presence"))
        told = [row["station_id"] for rows in mine.data("presence") for row in rows]
        assert told == [second_id]


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
