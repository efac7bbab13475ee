"""What a person sees of a fleet in a terminal: a table that is alive, or a line now and then."""

import asyncio
from typing import Final

import structlog
from rich.console import Console
from rich.live import Live
from rich.table import Table

from device_emulator.fleet import Fleet

log = structlog.get_logger()

_ROWS: Final = 20
"""Stations shown one by one; of more, only the sums."""
_EVERY: Final = 0.5
_LINE_EVERY: Final = 10.0

SHOWN: Final = {
    "heartbeats": "heartbeats",
    "opens": "opens",
    "command_refused": "refused",
    "connects": "connects",
    "disconnects": "lost",
    "connects_refused": "turned away",
    "enrol_failed": "no answer",
    "message_bad": "bad messages",
}
"""What is counted, and what a column is called. Counts of errors come last."""


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
    shown = Table(title=f"{len(fleet.stations)} stations, {fleet.online()} online")
    for name in ("station", "state", "online", *SHOWN.values()):
        shown.add_column(name, justify="left" if name in {"station", "state"} else "right")
    if len(fleet.stations) <= _ROWS:
        for station in fleet.stations.values():
            told, counts = station.state(), station.counts()
            code = told["number"] or told["user_code"] or ""
            shown.add_row(
                station.mac,
                f"{told['state']} {code}".strip(),
                "yes" if told["online"] else "no",
                *(str(counts[name]) for name in SHOWN),
            )
    totals, states = fleet.totals(), fleet.states()
    shown.add_section()
    shown.add_row(
        "all",
        ", ".join(f"{state} {count}" for state, count in sorted(states.items())),
        str(fleet.online()),
        *(str(totals[name]) for name in SHOWN),
    )
    return shown


async def _lines(fleet: Fleet, stop: asyncio.Event) -> None:
    while not stop.is_set():
        totals = fleet.totals()
        log.info(
            "fleet.counted",
            online=fleet.online(),
            states=dict(fleet.states()),
            **{name: totals[name] for name in SHOWN},
        )
        await _pause(stop, _LINE_EVERY)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
