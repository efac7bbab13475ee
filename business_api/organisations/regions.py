"""Provinces, cities and districts of China by their code (GB/T 2260).

The table is a file beside this one and the same for everybody; where it comes from is said
in `docs/decisions/0006-regions.md`. Most provinces hold cities, and those districts. The four
municipalities hold districts at once, some provinces a few counties too, and four cities
(东莞, 中山, 儋州, 嘉峪关) hold none: what has nothing below it is where a community can lie.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).with_name("regions.csv")

_MUNICIPALITIES: Final = frozenset({"110000", "120000", "310000", "500000"})


class Level(StrEnum):
    """How far down a region lies."""

    PROVINCE = "province"
    CITY = "city"
    DISTRICT = "district"


@dataclass(frozen=True, slots=True)
class Region:
    """One region and the names above it; empty where there is no such level.

    In a municipality the city is the municipality (北京市, 北京市, 东城区). A county right
    under its province is a city of its own, without districts (湖北省, 仙桃市).
    """

    code: str
    name: str
    level: Level
    parent: str
    """Its code; empty for a province."""
    province: str
    city: str
    district: str
    leaf: bool
    """Nothing lies below it."""


def region(code: str) -> Region | None:
    """The region with this code."""
    return _table().get(code)


def children(parent: str) -> Sequence[Region]:
    """What lies right under `parent`, by code; under an empty text the provinces."""
    return _by_parent().get(parent, ())


def prefix(code: str) -> str:
    """How the codes of everything in the region begin: 44 of 440000, 4403 of 440300."""
    return code[:2] if code.endswith("0000") else code.removesuffix("00")


@lru_cache(maxsize=1)
def edition() -> str:
    """A text that changes with the table."""
    return hashlib.sha256(DATA.read_bytes()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _table() -> dict[str, Region]:
    lines = DATA.read_text("utf-8").splitlines()
    names = dict(line.split(",", 1) for line in lines if not line.startswith("#"))
    parents = {code: _parent(code, names) for code in names}
    holding = set(parents.values())
    return {
        code: _region(code, names, parents[code], leaf=code not in holding)
        for code in sorted(names)
    }


@lru_cache(maxsize=1)
def _by_parent() -> dict[str, tuple[Region, ...]]:
    below: defaultdict[str, list[Region]] = defaultdict(list)
    for one in _table().values():
        below[one.parent].append(one)
    return {parent: tuple(regions) for parent, regions in below.items()}


def _parent(code: str, names: dict[str, str]) -> str:
    """The code of the next level above that has one of its own."""
    above = (f"{code[:4]}00", f"{code[:2]}0000")
    return next((one for one in above if one != code and one in names), "")


def _region(code: str, names: dict[str, str], parent: str, *, leaf: bool) -> Region:
    name, province = names[code], names[f"{code[:2]}0000"]
    if not parent:
        return Region(code, name, Level.PROVINCE, "", province, "", "", leaf)
    if code.endswith("00"):
        return Region(code, name, Level.CITY, parent, province, name, "", leaf)
    if not parent.endswith("0000"):
        return Region(code, name, Level.DISTRICT, parent, province, names[parent], name, leaf)
    city, district = (province, name) if parent in _MUNICIPALITIES else (name, "")
    return Region(code, name, Level.DISTRICT, parent, province, city, district, leaf)
