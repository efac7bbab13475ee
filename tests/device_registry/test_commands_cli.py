"""`linli device …`, as an operator runs it."""

import asyncio
from pathlib import Path

import pytest

from device_registry.devices.models import Device, Status
from foundation import db
from foundation.ids import new_id
from foundation.models import AuditEvent
from foundation.runner import Context
from foundation.security import load_keyring
from foundation.settings import Broker, Database, Settings
from tests.device_registry.boxes import Box
from tests.support import database as databases
from tests.support.commands import environment, linli


class Shell:
    """Runs `linli device` on one database."""

    def __init__(self, data_dir: Path, database: Database) -> None:
        self.data_dir = data_dir
        self.database = database
        self.env = environment(data_dir, database)

    async def __call__(self, *arguments: str, code: int = 0) -> str:
        done = await asyncio.to_thread(linli, "device", *arguments, env=self.env)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout if code == 0 else done.stdout + done.stderr


async def migrated(shell: Shell) -> Shell:
    done = await asyncio.to_thread(linli, "migrate", env=shell.env)
    assert done.returncode == 0, done.stderr
    return shell


@pytest.fixture
async def shell(tmp_path: Path, bare_database: Database) -> Shell:
    """On each kind of database."""
    return await migrated(Shell(tmp_path / "data", bare_database))


@pytest.fixture
async def quick(tmp_path: Path) -> Shell:
    """On SQLite, for what does not depend on the database: every command is a process."""
    return await migrated(Shell(tmp_path / "data", databases.at(tmp_path / "linli.sqlite3")))


def platform(shell: Shell) -> Context:
    """The other process: where boxes call."""
    settings = Settings(
        data_dir=shell.data_dir, database=shell.database, broker=Broker(tls_port=None)
    )
    return Context(settings, load_keyring(shell.data_dir, None))


async def test_a_station_by_the_shell_alone(shell: Shell) -> None:
    community = str(new_id())
    made = (await shell("codes", "generate", "3", "--batch", "b1")).split()
    assert len(made) == 3
    async with db.opened(shell.database):
        context = platform(shell)
        first, awaited = Box(context), Box(context)
        shown = (await first.call()).user_code
        options = ("--community", community, "--name", "东门", "--mac", first.mac)
        device_id = (await shell("register", *options, "--user-code", str(shown))).split()[0]
        assert (await first.call()).status == "registered"

        options = ("--community", community, "--name", "北门", "--mac", awaited.mac)
        assert "confirm" in await shell("register", *options)
        number = (await awaited.call()).number
        assert number is not None
        assert number in await shell("show", awaited.mac)
        assert "not the same" in await shell("confirm", awaited.mac, "000", code=2)
        await shell("confirm", awaited.mac, number)
        assert (await awaited.call()).status == "registered"

        listed = await shell("list", "--community", community)
        assert "东门" in listed
        assert "共 2 条" in listed
        await shell("suspend", device_id)
        assert (await first.call()).status == "suspended"
        await shell("resume", device_id)
        await shell("rotate", device_id)
        assert first.open(await first.call()).secret_ver == 2
        new = Box(context)
        shown = (await new.call()).user_code
        await shell("replace", device_id, new.mac, "--user-code", str(shown))
        assert (await new.call()).status == "registered"
        await shell("unbind", new.mac)
        assert (await new.call()).status == "unbound"
        assert await Device.filter(status=Status.ACTIVE).count() == 1
        line = await AuditEvent.get(action="device.unbind")
        assert line.actor.startswith("shell/")
    assert made[0] in await shell("codes", "list", "--state", "retired")
    await shell("codes", "recycle", made[0])
    assert "free" in await shell("codes", "list", "--search", made[0])


async def test_lists_from_files(quick: Shell, tmp_path: Path) -> None:
    codes, readers = tmp_path / "codes.txt", tmp_path / "readers.csv"
    codes.write_text("A-100\nA-101\n")
    assert "2 added" in await quick("codes", "import", str(codes))
    readers.write_text("number,model\nBLE-1,R1\n坏,R1\n")
    output = await quick("readers", "import", str(readers), code=1)
    assert "1 added" in output
    assert "line 3" in output
    assert "BLE-1" in await quick("readers", "list")
    readers.write_bytes("编号,型号\nBLE-2,R1\n".encode("gbk"))
    assert "not UTF-8" in await quick("readers", "import", str(readers), code=2)


async def test_what_is_wrong_is_one_line(quick: Shell) -> None:
    for arguments in (
        ("show", str(new_id())),
        ("suspend", "00:aa:bb:cc:dd:ee"),
        ("unbind", "nonsense"),
        ("readers", "import", "/nowhere.csv"),
        ("register", "--community", str(new_id()), "--name", "x", "--mac", "00aabbccddee"),
    ):
        output = await quick(*arguments, code=2)
        assert output.startswith("linli: ")
        assert len(output.splitlines()) == 1, output
