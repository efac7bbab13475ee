"""Which column of a file is which of the kind."""

from collections.abc import Sequence

from xlsxwriter.utility import xl_col_to_name

from business_api.imports.kinds import Column, Words
from business_api.imports.reading import Unreadable

REASONS = Words("错误原因", "Reasons")
"""The column that a workbook of errors adds; it may be there when that comes back."""


def matched(header: Sequence[str], columns: Sequence[Column]) -> list[Column | None]:
    """The column of each cell of `header`; None for one that is not read.

    Raises:
        Unreadable: a column is unknown, there twice, or missing. Unknown ones are named by
            their letter: in a file without a header those cells are somebody's data.
    """
    titles = {
        _plain(title): column for column in columns for title in (column.title.zh, column.title.en)
    }
    ours = {_plain(title) for title in REASONS}
    found = [titles.get(_plain(title)) for title in header]
    unknown = [
        xl_col_to_name(at)
        for at, title in enumerate(header)
        if title and found[at] is None and _plain(title) not in ours
    ]
    if unknown:
        raise Unreadable("columns-unknown", ", ".join(unknown)[:300])
    there = [column.key for column in found if column is not None]
    twice = [column.title.zh for column in columns if there.count(column.key) > 1]
    if twice:
        raise Unreadable("columns-twice", "、".join(twice))
    missing = [column.title.zh for column in columns if column.required and column.key not in there]
    if missing:
        raise Unreadable("columns-missing", "、".join(missing))
    return found


def _plain(title: str) -> str:
    """A title without what the template adds to it, or people do."""
    return title.replace("*", "").replace(" ", "").casefold()
