"""What is measured: our platform, and the same platform on mosquitto and on plain amqtt."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import http, seed
from benchmarks.process import cpu_seconds, line_of, listening, resident_bytes, running_process
from foundation.settings import Settings
from tests.support.commands import environment
from tests.support.postgres import free_port

NAMES = ("linli", "mosquitto", "amqtt")

# No limit of a rate may stand in the way: they protect, and are not what is measured.
UNLIMITED = {
    "LINLI_HTTP__TLS_PORT": "",
    "LINLI_BROKER__TLS_PORT": "",
    "LINLI_BROKER__WS_PORT": "",
    "LINLI_BROKER__MESSAGE_RATE": "1000000",
    "LINLI_BROKER__BYTE_RATE": "1000000000",
    "LINLI_BROKER__CONNECT_RATE": "100000",
    "LINLI_DEVICES__OPENS_PER_PERSON": "1000000",
    "LINLI_DEVICES__OPENS_PER_DOOR": "1000000",
    "LINLI_AUTH__REQUESTS_PER_MINUTE": "1000000",
}


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

    async def resident(self) -> http.Connection:
        """A connection signed in as the resident."""
        connection = await http.opened(self.http_port)
        form = {"username": "resident", "password": seed.PASSWORD}
        status, answer = await connection.post("/v1/auth/login", form)
        assert status == 200, answer
        connection.token = answer["access_token"]
        return connection


@asynccontextmanager
async def running(name: str, stations: int) -> AsyncIterator[Target]:
    """Start `name` with `stations` registered stations, and take all of it away again."""
    home = Path(tempfile.mkdtemp(prefix=f"linli-bench-{name}-"))
    settings = Settings(data_dir=home)
    variables = environment(home, settings.database, **UNLIMITED)
    file = home / "stations.json"
    try:
        ids = await seed.seed(settings, stations, file)
        async with AsyncExitStack() as stack:
            broker: list[int] = []
            command = ["embedded"]
            if name != "linli":
                _plain_passwords(file)
                port = free_port()
                starting = _mosquitto(home, port) if name == "mosquitto" else _amqtt(port)
                process = running_process(*starting, log=home / "broker.log", env=os.environ)
                broker = [(await stack.enter_async_context(process)).pid]
                await listening(port)
                command = ["gmqtt", "127.0.0.1", str(port)]
            platform = await stack.enter_async_context(
                running_process(
                    *(sys.executable, "-m", "benchmarks.platform", *command),
                    log=home / "platform.log",
                    env=variables,
                )
            )
            ports = json.loads(await line_of(platform, 60))
            yield Target(
                name,
                ports["mqtt"],
                ports["http"],
                [*broker, platform.pid],
                broker or [platform.pid],
                ids,
                file,
                settings,
            )
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _plain_passwords(file: Path) -> None:
    """Other brokers do not know one-time passwords: they get the cheapest check there is."""
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
