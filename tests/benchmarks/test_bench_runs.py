"""The benchmarks run against the platform as it is, and keep figures of the documented form."""

import asyncio
import json
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks import document
from benchmarks.report import Row, compared, find, read, write

ROOT = Path(__file__).parents[2]


async def run(*arguments: str, out: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks", "--quick", "--out", str(out), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def test_a_quick_run_keeps_and_prints_figures(tmp_path: Path) -> None:
    out = tmp_path / "build" / "bench.json"
    printed = await run("--only", "connecting", "--targets", "linli", out=out)

    body = json.loads(out.read_text())
    assert set(body) == {"machine", "rows"}
    assert {"at", "cpu", "cores", "load_before", "load_after", "versions"} <= set(body["machine"])
    assert all(set(row) == {field.name for field in fields(Row)} for row in body["rows"])
    figures = {row["metric"]: row for row in body["rows"]}
    assert set(figures) == {"stations connected", "connects", "CPU a connect", "memory a station"}
    assert figures["stations connected"]["value"] == figures["stations connected"]["n"]
    assert figures["connects"]["value"] > 0
    assert "memory a station" in printed


async def test_a_quick_import_makes_every_good_row_and_nothing_twice(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    printed = await run("--only", "import_houses", out=out)

    _, rows = read(out)
    figures = {row.metric: row for row in rows}
    assert (figures["houses made"].value, figures["houses made"].n) == (1980, 2000)
    assert figures["rows refused with a reason"].value == 20
    assert figures["houses made by the same file again"].value == 0
    assert figures["rows"].value > 0
    assert "memory above rest, at most" in printed


async def test_what_cannot_be_measured_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unknown: emqx"):
        await run("--targets", "linli,emqx", out=tmp_path / "bench.json")


def test_a_ratio_is_ours_to_theirs_and_counts_have_none(tmp_path: Path) -> None:
    ours = [Row.of("open", "latency", "ms", [1.0, 2.0, 3.0]), Row("open", "stations", 5, "", 5)]
    theirs = [Row.of("open", "latency", "ms", [8.0]), Row("open", "stations", 5, "", 5)]
    rows = [*ours, *compared(ours, theirs, "mosquitto")]
    write({"at": "now"}, rows, tmp_path / "bench.json")

    machine, again = read(tmp_path / "bench.json")
    assert (machine, again) == ({"at": "now"}, rows)
    ratio = find(again, "open", "latency", "linli", "mosquitto")
    assert ratio is not None
    assert ratio.ratio == 0.25
    assert find(again, "open", "latency", "mosquitto") == Row(
        "open [mosquitto]", "latency", 8.0, "ms", 1, 8.0, 8.0, 8.0
    )
    assert find(again, "open", "stations", "linli", "mosquitto") is None


def test_figures_go_between_the_marks_of_the_page(tmp_path: Path) -> None:
    facts = {
        "at": "now",
        "cores": 2,
        "cpu": "x",
        "load_before": 0.1,
        "load_after": 2,
        "system": "y",
        "python": "3",
    }
    figures, page = tmp_path / "bench.json", tmp_path / "performance.md"
    write(facts | {"versions": {"amqtt": "0"}}, [Row("open", "CPU an open", 7, "ms", 3)], figures)
    page.write_text(f"before\n{document.BEGIN}\nold\n{document.END}\nafter\n")

    document.update(figures, page)

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| CPU an open, ms | 7 | - | - |  |  |" in text
