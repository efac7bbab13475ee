"""What a person sees of a fleet in a terminal: a table that is alive, or a line now and then."""

import asyncio
from collections import Counter
from typing import Final

import structlog
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from device_emulator.fleet import Fleet

log = structlog.get_logger()

_ROWS: Final = 20
"""Stations shown one by one; of more, only the sums."""
_STATE: Final = len("UNREG K7QF-2M9X")
_EVERY: Final = 0.5
_LINE_EVERY: Final = 10.0

COUNTED: Final = {
    "beats": ("heartbeats",),
    "opens": ("opens",),
    "refused": ("command_refused",),
    "lost": ("disconnects",),
    "errors": ("connects_refused", "enrol_failed", "message_bad", "platform_mistrusted"),
}
"""What a column is called, and the counts that it adds up."""


async def watch(fleet: Fleet, stop: asyncio.Event, console: Console) -> None:
    """Show how the fleet is until `stop`."""
    if not console.is_terminal:
        await _lines(fleet, stop)
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while not stop.is_set():
            live.update(table(fleet), refresh=True)
            await _pause(stop, _EVERY)
        live.update(table(fleet), refresh=True)


def table(fleet: Fleet) -> Table:
    """The fleet in one table: each station of a small one, the sums of a large one."""
    title = f"{len(fleet.stations)} stations, {fleet.online()} online"
    shown = Table(title=title, box=box.SIMPLE_HEAD)
    shown.add_column("station", no_wrap=True)
    shown.add_column("state", min_width=_STATE)
    for name in ("on", *COUNTED):
        shown.add_column(name, justify="right")
    if len(fleet.stations) <= _ROWS:
        for station in fleet.stations.values():
            told = station.state()
            code = told["number"] or told["user_code"] or ""
            shown.add_row(
                station.mac,
                f"{told['state']} {code}".strip(),
                "yes" if told["online"] else "no",
                *map(str, _sums(station.counts()).values()),
            )
        shown.add_section()
    states = [f"{state} {count}" for state, count in sorted(fleet.states().items())]
    sums = _sums(fleet.totals())
    shown.add_row("all", ", ".join(states), str(fleet.online()), *map(str, sums.values()))
    return shown


def _sums(counts: Counter[str]) -> dict[str, int]:
    return {name: sum(counts[count] for count in parts) for name, parts in COUNTED.items()}


async def _lines(fleet: Fleet, stop: asyncio.Event) -> None:
    while not stop.is_set():
        log.info(
            "fleet.counted",
            online=fleet.online(),
            states=dict(fleet.states()),
            **_sums(fleet.totals()),
        )
        await _pause(stop, _LINE_EVERY)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
