"""`linli run-demo`: the platform and three emulated stations, to look at (`make run`)."""

import asyncio
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import typer

from business_api.demo_stations import MACS
from foundation import settings_doc
from foundation.commands import awaited
from foundation.errors import DomainError, Kind
from foundation.settings import Settings

app = typer.Typer()

_LINLI = (sys.executable, "-m", "foundation.cli")
_SCREENS = 8090
_PATIENCE = 60.0
"""Seconds until the platform must be ready, and the stations registered."""
_GRACE = 15.0
"""Seconds in which a part must end when it is asked to."""


class DemoEnded(DomainError):
    """A part of the demo ended by itself."""

    kind, code, title = Kind.UNAVAILABLE, "demo-ended", "The demo has ended"
    title_zh = "演示已结束"


@app.command()
@awaited
async def run_demo() -> None:
    """Migrate, load demo data, serve everything, and run three stations until Ctrl-C."""
    settings = settings_doc.read()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    logs = settings.data_dir
    await _finish("migrate")
    async with (
        _going(logs / "serve.log", "serve") as platform,
        _going(logs / "emulate.log", *_emulate(settings)) as stations,
    ):
        ended = asyncio.create_task(_first_to_end(platform, stations))
        telling = asyncio.create_task(_tell(settings, logs))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([ended, telling, stopped], return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
                await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not stop.is_set():
                raise DemoEnded(_why(logs))
        finally:
            for task in (ended, telling, stopped):
                task.cancel()


async def _tell(settings: Settings, logs: Path) -> None:
    """When the platform is ready: load the data, wait for the stations, print all about it."""
    await _ready(settings)
    await _finish("demo", "--screens", f"http://127.0.0.1:{_SCREENS}")
    http, broker = settings.http, settings.broker
    print(f"\nAPI          {http.public_url}  (documentation: /docs)")
    if http.tls_port:
        print(f"             https://{http.host}:{http.tls_port}  (CA: {logs / 'tls/ca.pem'})")
    for name, port in (("TCP", broker.port), ("TLS", broker.tls_port), ("WS", broker.ws_port)):
        if port is not None:
            print(f"MQTT {name:<7} {broker.host}:{port}{'/mqtt' if name == 'WS' else ''}")
    print(f"Stations     http://127.0.0.1:{_SCREENS}/stations")
    print(f"Logs         {logs / 'serve.log'}, {logs / 'emulate.log'}")
    print("\nCtrl-C ends it; run it again and it carries on where it was.", flush=True)


async def _ready(settings: Settings) -> None:
    url = f"http://{settings.http.host}:{settings.http.port}/readyz"
    async with asyncio.timeout(_PATIENCE), httpx.AsyncClient(timeout=5) as client:
        while True:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.HTTPError:
                pass  # not listening yet; the time-out decides
            await asyncio.sleep(0.2)


def _emulate(settings: Settings) -> list[str]:
    tls = settings.http.tls_port
    host = settings.http.host
    url = f"https://{host}:{tls}" if tls else f"http://{host}:{settings.http.port}"
    return [
        "emulate",
        *(part for mac in MACS for part in ("--mac", mac)),
        *("--url", url, "--ca", str(settings.data_dir / "tls" / "ca.pem")),
        *("--data", str(settings.data_dir / "fleet"), "--control-port", str(_SCREENS)),
    ]


async def _finish(*arguments: str) -> None:
    """Run one of our commands to its end; it says itself what goes wrong."""
    process = await asyncio.create_subprocess_exec(*_LINLI, *arguments)
    try:
        code = await process.wait()
    finally:
        await _end(process)
    if code != 0:
        raise typer.Exit(code)


@asynccontextmanager
async def _going(log: Path, *arguments: str) -> AsyncIterator[Process]:
    """One of our commands, running for as long as the block does."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *_LINLI, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _first_to_end(*processes: Process) -> None:
    waits = [asyncio.create_task(process.wait()) for process in processes]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _why(logs: Path) -> str:
    """The one line that a part has said, else where to look."""
    for log in (logs / "serve.log", logs / "emulate.log"):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("linli: "):
                return line.removeprefix("linli: ")
    return f"see {logs / 'serve.log'} and {logs / 'emulate.log'}"
