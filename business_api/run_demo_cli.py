"""`linli run-demo`: the platform and three emulated stations, to look at (`make run`)."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from business_api.demo.stations import MACS
from foundation import settings_doc
from foundation.commands import awaited
from foundation.errors import DomainError, Kind
from foundation.settings import Settings

app = typer.Typer()

_PAGE = "LINLI_SMS__DEVELOPER_PAGE"
_LINLI = (sys.executable, "-m", "foundation.cli")
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
async def run_demo(
    *,
    control_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where the stations' control surface is.")
    ] = 8090,
) -> None:
    """Migrate, load demo data, serve everything, and run three stations until Ctrl-C."""
    settings = settings_doc.read()
    data = settings.data_dir
    data.mkdir(parents=True, exist_ok=True)
    await _finish("migrate")
    stopped, over = asyncio.Event(), asyncio.Event()

    def end() -> None:
        stopped.set()
        over.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, end)
    async with _going(over, data / "serve.log", "serve"):
        await _unless(over, _ready(settings))
        async with _going(over, data / "emulate.log", *_emulate(settings, control_port)):
            await _unless(over, _tell(settings, f"http://127.0.0.1:{control_port}"))
            await over.wait()
    if not stopped.is_set():
        raise DemoEnded(_why(data))


async def _unless(over: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do `work`, unless `over` comes first."""
    working, ending = asyncio.create_task(work), asyncio.create_task(over.wait())
    try:
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        ending.cancel()
        await asyncio.wait([working, ending])


async def _tell(settings: Settings, screens: str) -> None:
    """Load the data, wait until the stations are online, and print all about it."""
    await _finish("demo", "--screens", screens)
    await _online(screens)
    data = settings.data_dir
    http, broker = settings.http, settings.broker
    print(f"\nAPI          {http.public_url}  (described in /openapi.json)")
    if http.tls_port:
        print(f"             https://{http.host}:{http.tls_port}  (CA: {data / 'tls/ca.pem'})")
    for name, port in (("TCP", broker.port), ("TLS", broker.tls_port), ("WS", broker.ws_port)):
        if port is not None:
            print(f"MQTT {name:<7} {broker.host}:{port}{'/mqtt' if name == 'WS' else ''}")
    print(f"Stations     {screens}/stations")
    if settings.sms.provider == "local":
        print(f"Messages     http://127.0.0.1:{http.port}/developer/messages  (codes are there)")
    print(f"Logs         {data / 'serve.log'}, {data / 'emulate.log'}")
    print("\nCtrl-C ends it; run it again and it carries on where it was.", flush=True)


async def _ready(settings: Settings) -> None:
    """Wait until the platform says so."""
    url = f"http://{settings.http.host}:{settings.http.port}/readyz"
    await _answers(url, lambda answer: answer.is_success)


async def _online(screens: str) -> None:
    """Wait until every station is, by its own word."""
    url = f"{screens}/stations"
    await _answers(url, lambda answer: all(station["online"] for station in answer.json()))


async def _answers(url: str, well: Callable[[httpx.Response], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    async with httpx.AsyncClient(timeout=5) as client:
        while asyncio.get_running_loop().time() < deadline:
            try:
                if well(await client.get(url)):
                    return
            except httpx.HTTPError:
                pass  # not listening yet
            await asyncio.sleep(0.2)
    raise DemoEnded(f"not ready after {_PATIENCE:.0f} s: {url}")


def _emulate(settings: Settings, control_port: int) -> list[str]:
    tls = settings.http.tls_port
    host = settings.http.host
    url = f"https://{host}:{tls}" if tls else f"http://{host}:{settings.http.port}"
    return [
        "emulate",
        *(part for mac in MACS for part in ("--mac", mac)),
        *("--url", url, "--ca", str(settings.data_dir / "tls" / "ca.pem")),
        *("--data", str(settings.data_dir / "fleet"), "--control-port", str(control_port)),
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
async def _going(over: asyncio.Event, log: Path, *arguments: str) -> AsyncIterator[None]:
    """One of our commands, running for as long as the block does; `over` when it ends itself."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *_LINLI,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={_PAGE: "true", **os.environ},
        )
    watching = asyncio.create_task(process.wait())
    watching.add_done_callback(lambda _: over.set())
    try:
        yield
    finally:
        await _end(process)
        await watching


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


def _why(data: Path) -> str:
    """The one line that a part has said, else where to look."""
    logs = [log for log in (data / "serve.log", data / "emulate.log") if log.exists()]
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("linli: "):
                return line.removeprefix("linli: ")
    return f"see {' and '.join(map(str, logs))}"
