import asyncio
from datetime import timedelta

import asyncpg
import pytest

from foundation.settings import Database
from foundation.wake import Wake, first_of
from foundation.wake_local import Ear, mouth
from foundation.wake_pg import CHANNEL, MOST, Relay
from tests.support.running import running
from tests.support.until import until


@pytest.fixture
def postgres(request, database: Database) -> Database:
    if "postgres" not in database.url.get_secret_value():
        pytest.skip("NOTIFY is PostgreSQL's")
    return database


async def test_a_kick_wakes_those_who_listen_to_that_topic():
    wake = Wake()
    with wake.listen("a", "b") as ab, wake.listen("c") as c:
        wake.kick("b")
        assert ab.is_set()
        assert not c.is_set()
        wake.heard_all()
        assert c.is_set()
    wake.kick("a")
    assert wake._waiting == {}


async def test_first_of_leaves_no_task_behind():
    before = asyncio.all_tasks()
    late, early = asyncio.Event(), asyncio.Event()
    early.set()
    await first_of(late, early, within=timedelta(hours=1))
    await first_of(late, within=timedelta(0))
    await until(lambda: asyncio.all_tasks() == before)


async def test_other_processes_hear_it(postgres: Database):
    here, there = Wake(), Wake()
    async with running(Relay(here, postgres), Relay(there, postgres)):
        with there.listen("jobs") as heard, here.listen("jobs") as own:
            here.kick("jobs")
            assert own.is_set(), "at once, not by way of the database"
            await asyncio.wait_for(heard.wait(), 5)
            own.clear()
            here.kick("command/01J")
            with here.listen("answer") as answer:
                there.kick("answer")
                await asyncio.wait_for(answer.wait(), 5)
            assert not own.is_set(), "what we say ourselves does not come back to us"


async def test_a_lost_connection_is_made_again_and_everybody_looks(postgres: Database):
    here, there = Wake(), Wake()
    admin = await asyncpg.connect(postgres.url.get_secret_value())
    try:
        async with running(Relay(here, postgres), Relay(there, postgres)):
            with there.listen("jobs") as heard:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'linli wake' AND datname = current_database()"
                )
                await asyncio.wait_for(heard.wait(), 5)
                heard.clear()
                here.kick("jobs")
                await asyncio.wait_for(heard.wait(), 5)
    finally:
        await admin.close()


async def test_what_was_kicked_last_is_still_sent(postgres: Database):
    there = Wake()
    async with running(Relay(there, postgres)):
        with there.listen("jobs") as heard:
            here = Wake()
            short = Relay(here, postgres)
            await short.start()
            here.kick("jobs")
            await short.close()
            await asyncio.wait_for(heard.wait(), 5)


async def test_a_strange_notification_does_no_harm(postgres: Database):
    wake = Wake()
    admin = await asyncpg.connect(postgres.url.get_secret_value())
    async with running(Relay(wake, postgres)):
        with wake.listen("jobs") as heard:
            await admin.execute(f"NOTIFY {CHANNEL}, ''")
            await admin.execute(f"NOTIFY {CHANNEL}, 'other jobs'")
            await asyncio.wait_for(heard.wait(), 5)
    await admin.close()


async def test_a_command_beside_sqlite_is_heard_at_once(tmp_path):
    serving, command = Wake(), Wake()
    command.relay(mouth(tmp_path))
    command.kick("logins")  # nobody is there yet
    (tmp_path / "wake.sock").touch()  # left behind by a platform that was killed
    async with running(Ear(serving, tmp_path)):
        with serving.listen("logins") as heard, serving.listen("x" * 300) as never:
            command.kick("x" * 300)
            command.kick("logins")
            await asyncio.wait_for(heard.wait(), 5)
            assert not never.is_set()
        assert (tmp_path / "wake.sock").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "wake.sock").exists()
    command.kick("logins")


async def test_a_data_folder_too_deep_for_a_socket_still_works(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    mouth(deep)("logins")
    async with running(Ear(Wake(), deep)):
        mouth(deep)("logins")


def test_what_waits_to_be_sent_is_bounded(tmp_path):
    wake = Wake()
    relay = Relay(wake, Database())
    wake.relay(relay._forward)
    for n in range(MOST + 10):
        wake.kick(f"command/{n}")
    wake.kick("jobs")
    assert len(relay._pending) == MOST
    assert "jobs" in relay._pending
