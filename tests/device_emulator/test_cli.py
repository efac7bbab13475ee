"""`linli emulate`, as a process."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from foundation.wire.enroll import MqttAddress
from tests.device_emulator.peers import DeviceApi, mosquitto, served
from tests.device_emulator.toy import Toy
from tests.support.postgres import free_port
from tests.support.until import until

pytestmark = pytest.mark.peers

PROGRAM = "from foundation.cli import main; main()"
MACS = ("02a1b2c30001", "02a1b2c30002")


@asynccontextmanager
async def _linli(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "emulate", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_it_runs_and_stops(tmp_path: Path, signum: signal.Signals) -> None:
    with mosquitto(tmp_path) as broker:
        toy = Toy(MqttAddress(host="127.0.0.1", port=broker, tls=False), poll=1)
        for mac in MACS:
            toy.register(mac)
        port = free_port()
        async with (
            served(DeviceApi(toy)) as url,
            _linli(
                *(part for mac in MACS for part in ("--mac", mac)),
                *("--url", url, "--data", str(tmp_path), "--control-port", str(port)),
            ) as process,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
        ):

            async def online() -> bool:
                try:
                    told = (await http.get("/stations")).json()
                except httpx.HTTPError:
                    return False
                return [it["mac"] for it in told if it["online"]] == list(MACS)

            await until(online, within=30)
            process.send_signal(signum)
            output, _ = await asyncio.wait_for(process.communicate(), 20)
            assert process.returncode == 0, output.decode()
            assert b"fleet.stopped" in output
            assert b"Traceback" not in output
    assert (tmp_path / "emulator.sqlite3").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--url", "http://192.0.2.1"), "plain http only on this machine"),
        (("--mac", "01:02"), "12 hex digits"),
        (("--faults", "/nowhere"), "No such file"),
        (("--ca", "/nowhere"), "/nowhere"),
        (("--control-port", "TAKEN"), "TAKEN"),
    ],
)
async def test_a_mistake_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, str], line: str
) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        taken = str(server.sockets[0].getsockname()[1])
        given = [taken if it == "TAKEN" else it for it in arguments]
        async with _linli("--count", "1", "--data", str(tmp_path), *given) as process:
            output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert line.replace("TAKEN", taken) in output.decode()
    assert len(output.splitlines()) == 1, output.decode()


async def test_on_a_terminal_there_is_a_table(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    arguments = ("--count", "2", "--data", str(tmp_path), "--url", "http://127.0.0.1:9")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "emulate", *arguments),
        *("--control-port", "0", "--chaos", "100"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "160"},
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    shown = bytearray()

    def table() -> bool:
        try:
            shown.extend(os.read(ours, 65536))
        except BlockingIOError:
            return False
        return shown.count(b"UNREG") > 4 and b"http://127.0.0.1:" in shown

    try:
        await until(table, within=30)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)
    assert b"2 stations, 0 online" in shown
