"""`python -m benchmarks [--quick] [--only opening,events] [--targets linli,mosquitto]`."""

import argparse
import shutil
from pathlib import Path

import uvloop

from benchmarks.report import Row, against, show, write
from benchmarks.scenarios import SCENARIOS
from benchmarks.targets import NAMES


async def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="fewer samples: does it run at all?")
    parser.add_argument("--only", default=",".join(SCENARIOS))
    parser.add_argument("--targets", default=",".join(NAMES))
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    given = parser.parse_args()
    targets = given.targets.split(",")
    if "mosquitto" in targets and not shutil.which("mosquitto"):
        raise SystemExit("mosquitto is not installed: run `make peers`, or --targets linli,amqtt")
    rows: list[Row] = []
    for scenario in given.only.split(","):
        ours: list[Row] = []
        for name in targets:
            print(f"{scenario} on {name} ...", flush=True)
            found = await SCENARIOS[scenario](name, given.quick)
            if name == "linli":
                ours = found
                rows += found
                continue
            theirs = {(row.scenario, row.metric): row for row in found}
            rows += [
                against(row, other, name)
                for row in ours
                if (other := theirs.get((row.scenario, row.metric)))
            ]
            rows += [_named(row, name) for row in found]
    write(rows, given.out)
    show(rows)
    print(f"written to {given.out}")


def _named(row: Row, target: str) -> Row:
    return Row(
        f"{row.scenario} [{target}]",
        row.metric,
        row.value,
        row.unit,
        row.n,
        row.p50,
        row.p95,
        row.p99,
    )


if __name__ == "__main__":
    uvloop.run(main())
