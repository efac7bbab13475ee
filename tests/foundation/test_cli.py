"""The command as an operator runs it: what goes wrong is one line and exit code 2."""

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer

from foundation import audit, cli, db, migrate, serve
from foundation.settings import Database
from tests.foundation.test_audit import disarm
from tests.support import commands
from tests.support import database as databases
from tests.support.commands import environment, linli
from tests.support.until import until

NEWER = (
    "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('foundation', '9999_x', {})"
)


async def one_line(*arguments: str, env: Mapping[str, str]) -> str:
    """Run a command that must refuse in one line."""
    done = await asyncio.to_thread(linli, *arguments, env=env)
    assert done.returncode == 2, done
    assert done.stdout == ""
    [line] = [text for text in done.stderr.splitlines() if text.startswith("linli: ")]
    assert "Traceback" not in done.stderr
    return line


async def test_bad_settings(tmp_path: Path):
    env = environment(tmp_path, LINLI_BROKER__PORT="abc", LINLI_NONSENSE="1")
    line = await one_line("serve", env=env)
    assert "LINLI_BROKER__PORT" in line
    assert "LINLI_NONSENSE: no such setting" in line


async def test_an_empty_database_must_be_migrated_first(bare_database: Database, tmp_path: Path):
    env = environment(tmp_path, bare_database)
    lines = (one_line("serve", env=env), one_line("migrate", "--check", env=env))
    for line in await asyncio.gather(*lines):
        assert "run `linli migrate`" in line


async def test_a_database_from_a_newer_version(database: Database, tmp_path: Path):
    await migrate.upgrade(database)
    async with db.opened(database):
        now = "now()" if db.is_postgres() else "'2030-01-01 00:00:00'"
        await db.connection().execute_query(NEWER.format(now))
    env = environment(tmp_path, database)
    for line in await asyncio.gather(one_line("serve", env=env), one_line("migrate", env=env)):
        assert "from a newer version of linli" in line


async def test_a_database_nobody_answers_at(tmp_path: Path):
    url = "postgres://linli:hunter2@127.0.0.1:1/linli"
    env = environment(tmp_path, LINLI_DATABASE__URL=url)
    line = await one_line("serve", env=env)
    assert "Connection refused" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("name", ["LINLI_BROKER__PORT", "LINLI_HTTP__PORT"])
async def test_a_taken_port(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, name: str):
    database = await databases.sqlite(tmp_path, tmp_path_factory.getbasetemp())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = await one_line("serve", env=environment(tmp_path, database, **{name: port}))
    assert name in line
    assert port in line


async def test_the_audit_chain_is_checked(database: Database, tmp_path: Path):
    async with db.opened(database):
        for n in range(3):
            await audit.append(actor="platform", action="test.done", object="thing/1", n=n)
    env = environment(tmp_path, database)
    done = await asyncio.to_thread(linli, "audit", "verify", env=env)
    assert (done.returncode, done.stdout) == (0, "The audit chain is whole.\n")
    async with db.opened(database):
        await disarm()
        await db.connection().execute_query("UPDATE audit_event SET actor = 'x' WHERE seq = 2")
    assert "line 2 does not fit" in await one_line("audit", "verify", env=env)


async def test_serve_until_sigterm_and_only_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    data = tmp_path / "data"
    data.mkdir()
    env = environment(data, await databases.sqlite(data, tmp_path_factory.getbasetemp()))
    log = tmp_path / "log"
    with commands.running(*commands.LINLI, "serve", env=env, log=log) as first:
        await until(lambda: "runner.started" in first.output(), within=30)
        line = await one_line("serve", env=env)
        assert f"(process {first.process.pid})" in line
        assert (await asyncio.to_thread(linli, "migrate", "--check", env=env)).returncode == 0
        first.process.terminate()
        assert await asyncio.to_thread(first.process.wait, 20) == 0
    assert "runner.stopped" in first.output()
    assert "Traceback" not in first.output()


async def test_services_by_name(tmp_path: Path):
    env = environment(tmp_path)
    unknown, alone, first = await asyncio.gather(
        one_line("serve", "brokr", env=env),
        one_line("serve", "broker", "registry", env=env),
        one_line("serve", "api", env=env),
    )
    assert "no such service: brokr (there are: broker, registry, api)" in unknown
    assert "on SQLite all services run in one process" in alone
    assert "api needs in its process: broker, registry" in first


def test_services_start_in_the_order_they_stand_on_each_other():
    assert [entry.name for entry in serve.available()] == ["broker", "registry", "api"]


def test_settings_as_a_table_and_as_a_file(tmp_path: Path):
    env = environment(tmp_path, LINLI_MASTER_KEY="ab" * 32, LINLI_METRICS_TOKEN="hunter2")
    table = linli("settings", env=env)
    assert table.returncode == 0
    assert "LINLI_BROKER__TLS_PORT" in table.stdout
    assert "MQTT over TLS; empty: none" in table.stdout
    file = linli("settings", "--env", env=env).stdout
    assert f"\nLINLI_DATA_DIR={tmp_path}\n" in file
    assert "\n# LINLI_METRICS_TOKEN=***\n" in file
    assert "hunter2" not in table.stdout + file
    assert "abab" not in table.stdout + file


def test_version(tmp_path: Path):
    assert linli("version", env=environment(tmp_path)).stdout.startswith("linli ")


class Entry:
    """An entry point as `_Commands` sees it."""

    def __init__(self, load) -> None:
        self.load = load


def broken():
    raise SyntaxError("half written")


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch):
    one, two = typer.Typer(), typer.Typer()

    @one.command()
    def only(count: int = 1) -> None:
        print(f"count {count}")

    @two.command()
    def first() -> None:
        print("first")

    @two.command()
    def second() -> None:
        print("second")

    found = {"one": Entry(lambda: one), "two": Entry(lambda: two), "half": Entry(broken)}
    monkeypatch.setattr(cli, "_found", lambda: found)

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["linli", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == (2 if arguments[0] in ("half", "none") else 0)

    return run


def test_a_command_of_a_room_and_a_group_of_them(entries, capsys):
    entries("one", "--count", "3")
    assert capsys.readouterr().out == "count 3\n"
    entries("two", "second")
    assert capsys.readouterr().out == "second\n"


def test_a_broken_command_breaks_no_other(entries, capsys):
    entries("--help")
    assert "cannot be loaded: half written" in capsys.readouterr().out
    entries("half", "--anything", "x")
    said = capsys.readouterr().err
    assert said == "linli: The command cannot be loaded: half: SyntaxError: half written\n"
    entries("none")
    assert "No such command" in capsys.readouterr().err
