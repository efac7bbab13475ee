"""`linli emulate`: a fleet of stations from the command line."""

import asyncio
import itertools
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from device_emulator import faults
from device_emulator.faults import Fault
from device_emulator.fleet import Fleet, Plan
from device_emulator.screen import Screen
from device_emulator.watch import watch
from foundation.log import configure
from foundation.wire.topics import mac12

app = typer.Typer(add_completion=False)

_CHAOS_SECONDS = 600
_COUNT = 3


@app.command()
def emulate(
    *,
    count: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="How many stations. [default: 3, or those of --mac]"),
    ] = None,
    mac: Annotated[
        list[str] | None, typer.Option(help="A station with this MAC; may be repeated.")
    ] = None,
    url: Annotated[
        str, typer.Option(help="The platform: https, or http on this machine.")
    ] = "https://127.0.0.1:8443",
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM file of the platform's authority. [default: DATA/tls/ca.pem]"),
    ] = None,
    data: Annotated[Path, typer.Option(help="Where the fleet's flash is kept.")] = Path("data"),
    control_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve the control surface here, on loopback."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="For MACs, jitter and faults, never for keys.")
    ] = None,
    fault_file: Annotated[
        Path | None, typer.Option("--faults", help="A timetable of faults, JSON lines.")
    ] = None,
    chaos: Annotated[float, typer.Option(min=0, help="Random faults a minute and station.")] = 0,
) -> None:
    """Run emulated door stations until Ctrl-C. They are kept in DATA between runs."""
    console = Console()
    configure(level="warning" if console.is_terminal else "info")
    own = data / "tls" / "ca.pem"
    plan = Plan(
        url=url,
        ca=ca or (own if own.exists() else None),
        count=count or len(mac or ()) or _COUNT,
        macs=[mac12(text) for text in mac or ()],
        path=data / "emulator.sqlite3",
        seed=seed,
    )
    timetable = faults.read(fault_file) if fault_file else []
    uvloop.run(_run(Fleet(plan), control_port, timetable, chaos, console))


async def _run(
    fleet: Fleet, port: int | None, timetable: list[Fault], chaos: float, console: Console
) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    screen = None if port is None else Screen(fleet, port)
    try:
        await fleet.start()
        if screen is not None:
            await screen.start()
        fleet.rehearse(timetable)  # a mistake in it is told before anything starts
        async with asyncio.TaskGroup() as group:
            group.create_task(fleet.run(stop))
            await fleet.powered()
            if screen is not None:
                group.create_task(screen.run(stop))
                if console.is_terminal:
                    console.print(f"control surface: http://127.0.0.1:{screen.port}/stations")
            playing = [group.create_task(fleet.play(timetable))]
            if chaos:
                playing.append(group.create_task(_upset(fleet, chaos)))
            await watch(fleet, stop, console)
            for task in playing:
                task.cancel()
    finally:
        if screen is not None:
            await screen.close()
        await fleet.close()


async def _upset(fleet: Fleet, a_minute: float) -> None:
    """Random faults without end, made up for ten minutes at a time."""
    for number in itertools.count():
        seed = f"{fleet.plan.seed or 0}/{number}"
        begun = asyncio.get_running_loop().time()
        await fleet.play(faults.random_faults(seed, list(fleet.stations), _CHAOS_SECONDS, a_minute))
        left = begun + _CHAOS_SECONDS - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, left))
