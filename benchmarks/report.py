"""What a scenario found: rows for `build/bench.json`, and the table that is printed."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.table import Table

OURS: Final = "linli"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `against` names the comparator; `ratio` is our value divided by its value.

    The figures of a comparator have its name behind the scenario: `open, 1 connected
    [mosquitto]`.
    """

    scenario: str
    metric: str
    value: float
    unit: str
    n: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    against: str | None = None
    ratio: float | None = None

    @classmethod
    def of(cls, scenario: str, metric: str, unit: str, samples: Sequence[float]) -> Self:
        """A distribution; its value is the median."""
        ranked = sorted(samples)
        p50, p95, p99 = (percentile(ranked, q) for q in (0.50, 0.95, 0.99))
        return cls(scenario, metric, p50, unit, len(ranked), p50, p95, p99)

    def called(self, metric: str) -> "Row":
        """The same figure under another name."""
        return replace(self, metric=metric)


def percentile(ranked: Sequence[float], share: float) -> float:
    """Nearest rank of sorted samples, of which there is at least one."""
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def compared(ours: Sequence[Row], theirs: Sequence[Row], name: str) -> list[Row]:
    """Our rows with ratios to those of `name`, and its own rows under its name."""
    known = {(row.scenario, row.metric): row for row in theirs}
    ratios = [
        replace(row, against=name, ratio=row.value / other.value)
        for row in ours
        if row.unit and (other := known.get((row.scenario, row.metric))) and other.value
    ]
    return [*ratios, *(replace(row, scenario=f"{row.scenario} [{name}]") for row in theirs)]


def read(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """What `write` kept: facts and rows."""
    body = json.loads(path.read_text())
    return body["machine"], [Row(**row) for row in body["rows"]]


def machine(load_before: float) -> dict[str, Any]:
    """Where and with what this was measured; the load of the last minute before it, and now."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    packages = ("linli", "amqtt", "gmqtt", "uvloop", "fastapi", "tortoise-orm", "uvicorn")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_before": round(load_before, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages} | {"mosquitto": _mosquitto()},
    }


def write(facts: dict[str, Any], rows: Sequence[Row], path: Path) -> None:
    """Keep the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"machine": facts, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(body, indent=1, allow_nan=False) + "\n")


def find(
    rows: Sequence[Row], scenario: str, metric: str, target: str, against: str | None = None
) -> Row | None:
    """The figure of `target`, or its ratio to `against`."""
    name = scenario if target == OURS else f"{scenario} [{target}]"
    wanted = name, metric, against
    return next((row for row in rows if (row.scenario, row.metric, row.against) == wanted), None)


def topics(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """What was measured: scenario and metric -> unit, in the order of the run."""
    return {(row.scenario.split(" [")[0], row.metric): row.unit for row in rows}


def show(rows: Sequence[Row], targets: Sequence[str]) -> None:
    """Print the figures: ours, then those of each comparator with our ratio to them."""
    table = Table("scenario", "metric", "unit")
    for name in targets:
        table.add_column(name)
        if name != OURS:
            table.add_column("ratio")
    for (scenario, metric), unit in topics(rows).items():
        cells = []
        for name in targets:
            cells.append(figure(find(rows, scenario, metric, name)))
            if name != OURS:
                ratio = find(rows, scenario, metric, OURS, name)
                cells.append(short(ratio.ratio if ratio else None))
        table.add_row(scenario, metric, unit, *cells)
    Console(width=150).print(table)


def figure(row: Row | None) -> str:
    """A figure for people: a value, three percentiles, or how many of how many."""
    if row is None:
        return "-"
    if row.p50 is not None:
        return " / ".join(map(short, (row.p50, row.p95, row.p99)))
    return short(row.value) if row.unit else f"{row.value:.0f} of {row.n}"


def short(value: float | None) -> str:
    """Three digits are all that such figures hold."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _mosquitto() -> str:
    try:
        answer = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "not installed"
    return answer.stdout.split("\n", 1)[0].removeprefix("mosquitto version ")
