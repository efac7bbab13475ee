"""What is measured, and how: messages a second that stations may go on sending for ever."""

from collections.abc import Awaitable, Callable

from benchmarks import stored
from benchmarks.report import Row
from benchmarks.scenarios import connected

GENTLE = 200.0
"""Messages a second at which every target is compared, and from which the search goes up."""
_TOP = 50_000.0
_SETTLED = 1.0
"""Seconds after the last message in which everything must be stored: no backlog was growing."""

Try = Callable[[float], Awaitable[list[Row] | None]]


async def heartbeats(name: str, quick: bool) -> list[Row]:
    """The highest rate at which every heartbeat is heard and each station's newest is stored.

    A heartbeat is a state: two of one station in one commit are one row, on every target.
    """
    stations, seconds = (200, 1.0) if quick else (1000, 3.0)
    scenario = f"heartbeats, {stations} stations"
    async with connected(name, stations) as (target, load, ready):

        async def attempt(rate: float) -> list[Row] | None:
            heard, cpu = stored.heartbeats_heard(target), target.cpu()
            done = await load.do("heartbeats", rate=rate, seconds=seconds)

            async def all_there() -> bool:
                return await stored.last_heartbeats(done["last"])

            if not await stored.within(_SETTLED, all_there):
                return None
            if stored.heartbeats_heard(target) - heard != done["sent"]:
                return None
            cost = (target.cpu() - cpu) / done["sent"] * 1e6
            return [
                Row(scenario, "rate without loss", done["sent"] / done["seconds"], "1/s", ready),
                Row(scenario, "CPU a heartbeat", cost, "us", done["sent"]),
            ]

        return await _searched(scenario, ready, stations, attempt)


async def events(name: str, quick: bool) -> list[Row]:
    """The highest rate at which every QoS 1 journal event is stored, and `evtack` says so."""
    stations, seconds = (200, 1.0) if quick else (1000, 3.0)
    scenario = f"journal events, {stations} stations"
    total = 0
    async with connected(name, stations) as (target, load, ready):

        async def attempt(rate: float) -> list[Row] | None:
            nonlocal total
            cpu = target.cpu()
            done = await load.do("events", rate=rate, seconds=seconds, drain=_SETTLED)
            total += done["sent"]
            if done["acked"] < done["sent"] or done["lost"] or await stored.events() != total:
                return None
            cost = (target.cpu() - cpu) / done["sent"] * 1e6
            p50, p95, p99 = done["ms"].values()
            sent = done["sent"]
            return [
                Row(scenario, "rate without loss", sent / done["whole"], "1/s", ready),
                Row(scenario, "CPU an event", cost, "us", sent),
                Row(scenario, "time to evtack", p50, "ms", sent, p50, p95, p99),
            ]

        return await _searched(scenario, ready, stations, attempt)


async def _searched(scenario: str, ready: int, stations: int, attempt: Try) -> list[Row]:
    """Figures at the gentle rate, and at the highest that holds: doubled, then refined once.

    The rate stands still when the load generator is at its own end.
    """
    rows = [Row(scenario, "stations connected", ready, "", stations)]
    gentle = best = await attempt(GENTLE)
    if gentle is None or best is None:
        return [*rows, Row(scenario, "rate without loss", 0, "1/s", ready)]
    rows += [row.called(f"{row.metric}, {GENTLE:.0f}/s") for row in gentle[1:]]
    rate = GENTLE
    while rate < _TOP and (found := await attempt(rate * 2)):
        rate, best = rate * 2, found
        if found[0].value < 0.8 * rate:
            return [*rows, *_at_best(best)]
    if found := await attempt(rate * 1.4):
        best = found
    return [*rows, *_at_best(best)]


def _at_best(rows: list[Row]) -> list[Row]:
    return [rows[0], *(row.called(f"{row.metric}, at that rate") for row in rows[1:])]
