"""Lists that people bring: read line by line, every fault named, harmless when repeated."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from foundation.errors import DomainError, Kind

MOST_LINES: Final = 20_000
MOST_ERRORS: Final = 500

_CHUNK: Final = 500
"""Values in one statement: SQLite takes 32,766 parameters, PostgreSQL the same."""

Item = TypeVar("Item")


class BadList(DomainError):
    """The list as a whole cannot be read. Fact `line`, where it is one."""

    kind, code, title = Kind.INVALID, "bad-list", "The list cannot be read"
    title_zh = "导入文件无法读取"


class TooManyAtOnce(DomainError):
    """More at once than one call takes. Fact `most`."""

    kind, code, title = Kind.INVALID, "too-many-at-once", "Too many at once"
    title_zh = "单次数量过多"


@dataclass(frozen=True, slots=True)
class LineError:
    """One line that was not taken."""

    line: int
    value: str
    reason: str
    """For people, in Chinese."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a list."""

    added: int
    known: int
    """Lines that were there already and changed nothing."""
    errors: tuple[LineError, ...]
    """The first `MOST_ERRORS`."""
    failed: int
    """Lines not taken, all of them counted."""


class Lines(Generic[Item]):
    """Sorts lines into good ones, by key, and faults."""

    def __init__(self) -> None:
        self.good: dict[str, Item] = {}
        self._first: dict[str, int] = {}
        self._errors: list[LineError] = []
        self._failed = 0

    def take(self, line: int, key: str, item: Item) -> None:
        """A well-formed line; a second one of the same key is a fault."""
        if key in self.good:
            self.fault(line, key, f"与第 {self._first[key]} 行重复")
            return
        self.good[key] = item
        self._first[key] = line

    def fault(self, line: int, value: str, reason: str) -> None:
        """A line that cannot be taken."""
        self._failed += 1
        if len(self._errors) < MOST_ERRORS:
            self._errors.append(LineError(line, value[:40], reason))

    def report(self, added: int) -> ImportReport:
        """Once the good ones are stored, of which `added` were new."""
        known = len(self.good) - added
        return ImportReport(added, known, tuple(self._errors), self._failed)


def at_most(count: int, most: int = MOST_LINES) -> None:
    """Refuse more than `most`.

    Raises:
        TooManyAtOnce: there are more.
    """
    if count > most:
        raise TooManyAtOnce(f"{count} > {most}", most=most)


def chunks(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    """`items` in slices that fit into one statement."""
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))


def csv_rows(text: str, is_header: Callable[[Sequence[str]], bool]) -> list[tuple[str, ...]]:
    """The lines of a CSV file, cells stripped; the header comes back empty, as blank lines do.

    Cells are parted by `,`, `;` or a tab, whichever the first line has most of.

    Raises:
        BadList: quotes that do not close, or NUL bytes.
        TooManyAtOnce: too long.
    """
    text = text.removeprefix("\N{BYTE ORDER MARK}")
    lines = text.splitlines()
    at_most(len(lines))
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[tuple[str, ...]] = []
    try:
        for row in reader:
            # Cells may hold line breaks: keep the number of a row that of its last line.
            rows += [()] * (reader.line_num - len(rows) - 1)
            rows.append(tuple(cell.strip() for cell in row))
    except csv.Error as error:
        raise BadList(f"line {reader.line_num}: {error}", line=reader.line_num) from None
    header = next((at for at, row in enumerate(rows) if any(row)), None)
    if header is not None and is_header(rows[header]):
        rows[header] = ()
    return rows
