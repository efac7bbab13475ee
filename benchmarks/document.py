"""Puts the figures of `build/bench.json` into `docs/performance.md`, between two marks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.report import OURS, Row, figure, find, read, short, topics
from benchmarks.targets import NAMES

BEGIN: Final = "<!-- figures: python -m benchmarks --report -->"
END: Final = "<!-- end of figures -->"


def update(figures: Path, page: Path) -> None:
    """Replace what stands between the marks of `page`.

    Raises:
        ValueError: the page has no marks.
    """
    before, _, rest = page.read_text().partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{page} has no place for figures")
    machine, rows = read(figures)
    scenarios = dict.fromkeys(scenario for scenario, _ in topics(rows))
    tables = "\n".join(_table(scenario, rows) for scenario in scenarios)
    page.write_text(f"{before}{BEGIN}\n\n{_facts(machine)}\n{tables}\n{END}{after}")


def _facts(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"Measured {machine['at']} on {machine['cores']} cores ({machine['cpu']}), "
        f"load average before the run {machine['load_before']}, at its end "
        f"{machine['load_after']}; {machine['system']}, "
        f"Python {machine['python']}; {versions}.\n"
    )


def _table(scenario: str, rows: Sequence[Row]) -> str:
    others = NAMES[1:]
    heads = [*NAMES, *(f"{OURS} / {name}" for name in others)]
    lines = [f"### {scenario[:1].upper()}{scenario[1:]}", ""]
    lines += [f"| | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for (of, metric), unit in topics(rows).items():
        if of == scenario:
            ratios = [find(rows, scenario, metric, OURS, name) for name in others]
            cells = [figure(find(rows, scenario, metric, name)) for name in NAMES]
            cells += [short(each.ratio if each else None) for each in ratios]
            lines.append(f"| {metric}{unit and f', {unit}'} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
