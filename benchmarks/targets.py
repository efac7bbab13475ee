"""What is measured: our platform, and the same platform on mosquitto and on plain amqtt."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks import seed
from benchmarks.process import cpu_seconds, resident_bytes
from foundation.settings import Settings
from tests.support.postgres import free_port

NAMES = ("linli", "mosquitto", "amqtt")


@dataclass(slots=True)
class Target:
    """A running platform and the stations it knows."""

    name: str
    mqtt_port: int
    http_port: int
    pids: list[int]
    broker_pids: list[int]
    device_ids: list[str]
    stations_file: Path
    settings: Settings

    def cpu(self) -> float:
        """CPU seconds of every process of it so far."""
        return cpu_seconds(self.pids)

    def memory(self) -> int:
        """Resident bytes of the process that holds the connections."""
        return resident_bytes(self.broker_pids)

    @asynccontextmanager
    async def resident(self) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client signed in as the resident."""
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.http_port}", timeout=30
        ) as client:
            answer = await client.post(
                "/v1/auth/login", json={"username": "resident", "password": seed.PASSWORD}
            )
            answer.raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client


@asynccontextmanager
async def running(name: str, stations: int) -> AsyncIterator[Target]:
    """Start `name` with `stations` registered stations, and take all of it away again."""
    home = Path(tempfile.mkdtemp(prefix=f"linli-bench-{name}-"))
    environment = {
        "LINLI_DATA_DIR": str(home),
        "LINLI_DATABASE__URL": f"sqlite://{home}/linli.sqlite3",
        "LINLI_HTTP__PORT": str(free_port()),
        "LINLI_HTTP__TLS_PORT": "",
        "LINLI_BROKER__PORT": str(free_port()),
        "LINLI_BROKER__TLS_PORT": "",
        "LINLI_BROKER__WS_PORT": "",
        "LINLI_DEVICES__OPENS_PER_PERSON": "1000000",
        "LINLI_DEVICES__OPENS_PER_DOOR": "1000000",
        "LINLI_AUTH__REQUESTS_PER_MINUTE": "1000000",
        "LINLI_BROKER__MESSAGE_RATE": "100000",
    }
    os.environ.update(environment)
    settings = Settings()
    file = home / "stations.json"
    ids = await seed.seed(settings, stations, file)
    try:
        async with AsyncExitStack() as stack:
            broker: list[int] = []
            if name == "linli":
                command = ["embedded"]
            else:
                _plain_passwords(file)
                port = free_port()
                starting = _mosquitto(home, port) if name == "mosquitto" else _amqtt(port)
                broker = [(await stack.enter_async_context(_process(*starting))).pid]
                await _listening(port)
                command = ["gmqtt", "127.0.0.1", str(port)]
            platform = await stack.enter_async_context(
                _process(sys.executable, "-m", "benchmarks.platform", *command)
            )
            assert platform.stdout
            ports = json.loads(await asyncio.wait_for(platform.stdout.readline(), 60))
            yield Target(
                name,
                ports["mqtt"] or port,
                ports["http"],
                [*broker, platform.pid],
                broker or [platform.pid],
                ids,
                file,
                settings,
            )
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Load:
    """The load generator's process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def do(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Give an order and wait until it is carried out."""
        assert self._process.stdin
        assert self._process.stdout
        line = json.dumps({"do": order, **arguments}) + "\n"
        self._process.stdin.write(line.encode())
        answer = await asyncio.wait_for(self._process.stdout.readline(), 600)
        done: dict[str, Any] = json.loads(answer)
        return done


@asynccontextmanager
async def load(target: Target) -> AsyncIterator[Load]:
    """Stations for `target`, in a process of their own."""
    async with _process(
        sys.executable,
        "-m",
        "benchmarks.load",
        str(target.stations_file),
        "127.0.0.1",
        str(target.mqtt_port),
        stdin=PIPE,
    ) as process:
        yield Load(process)


def _plain_passwords(file: Path) -> None:
    specs = json.loads(file.read_text())
    plain = [spec | {"username": spec["mac"], "password": "tok"} for spec in specs]
    file.write_text(json.dumps(plain))


def _mosquitto(home: Path, port: int) -> list[str]:
    acl, conf = home / "acl", home / "mosquitto.conf"
    acl.write_text("user platform\ntopic readwrite #\npattern readwrite v1/%u/#\n")
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
        "max_queued_messages 0\nmax_inflight_messages 1000\nset_tcp_nodelay true\n"
        "persistence false\nuser root\n"
    )
    return ["mosquitto", "-c", str(conf)]


def _amqtt(port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.plain_amqtt", str(port)]


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise RuntimeError(f"nothing listens on {port}")


@asynccontextmanager
async def _process(*command: str, stdin: int | None = None) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=stdin, stdout=PIPE, limit=64 * 1024 * 1024
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()
