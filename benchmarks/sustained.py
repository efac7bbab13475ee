"""What is measured, and how: messages a second that stations may go on sending for ever."""

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks import stored
from benchmarks.process import Died
from benchmarks.report import Row
from benchmarks.scenarios import connected

GENTLE = 200.0
"""Messages a second at which every target is compared, and from which the search goes up."""
_SLOW = 25.0
"""Where the search begins anew, with fresh stations, for a target that is not that fast."""
_TOP = 50_000.0
_SETTLED = 1.0
"""Seconds after the last message in which everything must be stored: no backlog was growing."""

_BACKLOG = 15.0
"""Seconds in which a target may work off what was too much, before another rate is tried."""

Try = Callable[[float], Awaitable[list[Row] | None]]
Quiet = Callable[[], Awaitable[bool]]
Search = Callable[[str, bool, float], Awaitable[list[Row] | None]]


async def heartbeats(name: str, quick: bool) -> list[Row]:
    """The highest rate at which every heartbeat is heard and each station's newest is stored.

    A heartbeat is a state: two of one station in one commit are one row, on every target.
    """
    return await _from_where_it_holds(_heartbeats, name, quick)


async def events(name: str, quick: bool) -> list[Row]:
    """The highest rate at which every QoS 1 journal event is stored, and `evtack` says so."""
    return await _from_where_it_holds(_events, name, quick)


async def _from_where_it_holds(search: Search, name: str, quick: bool) -> list[Row]:
    """What is lost leaves a hole in a journal: a lower rate needs stations without one.

    Raises:
        Died: not even the lowest rate holds.
    """
    for begin in (GENTLE, _SLOW):
        if rows := await search(name, quick, begin):
            return rows
    raise Died(f"{name} does not keep up with {_SLOW:.0f} messages a second")


async def _heartbeats(name: str, quick: bool, begin: float) -> list[Row] | None:
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

        async def quiet() -> bool:
            heard = -1
            while heard != (heard := stored.heartbeats_heard(target)):
                await asyncio.sleep(_SETTLED)
            return True

        return await _searched(Row(scenario, "", ready, "", stations), begin, attempt, quiet)


async def _events(name: str, quick: bool, begin: float) -> list[Row] | None:
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

        async def quiet() -> bool:
            return bool((await load.do("settled", within=_BACKLOG))["all"])

        return await _searched(Row(scenario, "", ready, "", stations), begin, attempt, quiet)


async def _searched(here: Row, begin: float, attempt: Try, quiet: Quiet) -> list[Row] | None:
    """Figures at the first rate, and at the highest that holds: doubled, then refined once.

    The first rate is run twice, and counts warm. None when it does not hold. The search ends
    where the load generator does.
    """
    if await attempt(begin) is None or (first := await attempt(begin)) is None:
        return None
    rows = [here.called("stations connected")]
    rows += [row.called(f"{row.metric}, {begin:.0f}/s") for row in first[1:]]
    rate, best = begin, first
    while rate < _TOP and (found := await attempt(rate * 2)):
        rate, best = rate * 2, found
        if found[0].value < 0.8 * rate:
            return [*rows, *_at_best(best)]
    if await quiet() and (found := await attempt(rate * 1.4)):
        best = found
    return [*rows, *_at_best(best)]


def _at_best(rows: list[Row]) -> list[Row]:
    return [rows[0], *(row.called(f"{row.metric}, at that rate") for row in rows[1:])]
