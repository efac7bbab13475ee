"""What a scenario found: rows for `build/bench.json`, and the table that is printed."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `against` names the comparator whose value `ratio` divides ours by."""

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


def percentile(ranked: Sequence[float], share: float) -> float:
    """Nearest rank of sorted samples."""
    if not ranked:
        return float("nan")
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def against(ours: Row, theirs: Row, name: str) -> Row:
    """Our row with the ratio of medians, ours to theirs."""
    ratio = ours.value / theirs.value if theirs.value else None
    return Row(**{**asdict(ours), "against": name, "ratio": ratio})


def machine() -> dict[str, object]:
    """Where and with what this was measured."""
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
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages} | {"mosquitto": _mosquitto()},
    }


def write(rows: Sequence[Row], path: Path) -> None:
    """Keep the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(body, indent=1) + "\n")


def show(rows: Sequence[Row]) -> None:
    """Print the figures."""
    table = Table(
        "scenario", "metric", "value", "unit", "n", "p50", "p95", "p99", "against", "ratio"
    )
    for row in rows:
        figures = [_short(row.p50), _short(row.p95), _short(row.p99)]
        table.add_row(
            row.scenario,
            row.metric,
            _short(row.value),
            row.unit,
            str(row.n),
            *figures,
            row.against or "",
            _short(row.ratio),
        )
    Console(width=150).print(table)


def median(values: Sequence[float]) -> float:
    """Of repeats."""
    return statistics.median(values)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _mosquitto() -> str:
    try:
        answer = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "not installed"
    return answer.stdout.split("\n", 1)[0]
