"""`python -m benchmarks [--quick] [--only opening,events] [--targets linli,mosquitto]`."""

import argparse
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from benchmarks import document, imports, scenarios, sustained, telling
from benchmarks.process import Died
from benchmarks.report import OURS, Row, compared, machine, show, write
from benchmarks.targets import NAMES
from foundation import log

SCENARIOS: dict[str, Callable[[str, bool], Awaitable[list[Row]]]] = {
    "opening": scenarios.opening,
    "connecting": scenarios.connecting,
    "heartbeats": sustained.heartbeats,
    "events": sustained.events,
    "tell": telling.telling,
    "import_houses": imports.houses,
}

ALONE = frozenset({"import_houses"})
"""Scenarios in which the broker has no part: there is nothing to compare."""


def main() -> None:
    """Run, print, write; or only write down what an earlier run found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="fewer stations and samples")
    parser.add_argument("--only", type=_names, default=list(SCENARIOS), help="scenarios, by comma")
    parser.add_argument("--targets", type=_names, default=list(NAMES), help="targets, by comma")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    parser.add_argument(
        "--report", action="store_true", help="measure nothing; put --out into docs/performance.md"
    )
    given = parser.parse_args()
    if unknown := {*given.only} - {*SCENARIOS} | {*given.targets} - {*NAMES}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if given.report:
        document.update(given.out, Path("docs/performance.md"))
        return
    if "mosquitto" in given.targets and not shutil.which("mosquitto"):
        parser.error("mosquitto is not installed: run `make peers`, or --targets linli,amqtt")
    log.configure(level="warning")
    before = os.getloadavg()[0]
    targets = [name for name in NAMES if name in given.targets]
    rows = uvloop.run(_measured(given.only, targets, given.quick))
    write(machine(before), rows, given.out)
    show(rows, targets)
    print(f"written to {given.out}")


async def _measured(only: Sequence[str], targets: Sequence[str], quick: bool) -> list[Row]:
    rows: list[Row] = []
    for scenario in only:
        ours: list[Row] = []
        for name in targets if scenario not in ALONE else [OURS]:
            began = time.perf_counter()
            print(f"{scenario} on {name} ...", end=" ", flush=True)
            try:
                found = await SCENARIOS[scenario](name, quick)
            except Died as error:
                if name == OURS:
                    raise
                print(f"did not finish: {error}", flush=True)
                continue
            print(f"{time.perf_counter() - began:.0f} s", flush=True)
            if name == OURS:
                ours = found
                rows += found
            else:
                rows += compared(ours, found, name)
    return rows


def _names(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    main()
