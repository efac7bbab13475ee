import asyncio

import pytest
from tortoise.exceptions import OperationalError

from foundation import db
from foundation.commands import awaited, in_context, in_one_line
from foundation.errors import DomainError
from foundation.migrate import NotMigrated
from foundation.settings import Database, Settings
from foundation.wake import Wake
from foundation.wake_pg import Relay
from tests.support.running import running


async def test_a_context_is_open_and_wakes_other_processes(database: Database, tmp_path):
    settings = Settings(data_dir=tmp_path / "data", database=database)
    elsewhere = Wake()
    with elsewhere.listen("logins") as heard:
        async with in_context(settings) as context:
            await db.connection().execute_query("SELECT 1")
            assert (tmp_path / "data" / "master.key").exists()
            if not db.is_postgres():
                context.wake.kick("logins")
                return
            async with running(Relay(elsewhere, database)):
                context.wake.kick("logins")
                await asyncio.wait_for(heard.wait(), 5)


async def test_a_kick_at_the_very_end_is_still_sent(database: Database, tmp_path):
    if db.sqlite_path(database) is not None:
        pytest.skip("NOTIFY is PostgreSQL's")
    elsewhere = Wake()
    async with running(Relay(elsewhere, database)):
        with elsewhere.listen("logins") as heard:
            async with in_context(Settings(data_dir=tmp_path, database=database)) as context:
                context.wake.kick("logins")
            await asyncio.wait_for(heard.wait(), 5)


async def test_tables_that_do_not_fit_are_refused(bare_database: Database, tmp_path):
    with pytest.raises(NotMigrated):
        async with in_context(Settings(data_dir=tmp_path, database=bare_database)):
            pass


def test_an_async_command_runs_with_its_arguments():
    @awaited
    async def command(number: int, *, twice: bool = False) -> int:
        await asyncio.sleep(0)
        return number * 2 if twice else number

    assert command(3, twice=True) == 6


def test_what_an_operator_can_act_on_is_one_line():
    class Known(DomainError):
        code, title, title_zh = "known", "It is known", "已知"

    several = ExceptionGroup("x", [Known("a\nb"), ExceptionGroup("y", [Known("c"), Known("c")])])
    assert in_one_line(Known("detail")) == "It is known: detail"
    assert in_one_line(Known()) == "It is known"
    assert in_one_line(several) == "It is known: a b; It is known: c"
    assert in_one_line(PermissionError(13, "Permission denied", "data")) is not None
    assert in_one_line(ValueError("a bug")) is None
    assert in_one_line(ExceptionGroup("x", [Known("a"), ValueError("a bug")])) is None
    assert in_one_line(OperationalError("a bug")) is None
