"""Statements in SQL that SQLite and PostgreSQL both understand.

For what the ORM cannot say in one statement: RETURNING, UNION ALL with a LIMIT in each
branch, and many rows from one parameter. Values are parameters, always; the text is ours.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from foundation.db import connection, is_postgres

Row = dict[str, Any]


async def fetch(statement: str, *values: object) -> list[Row]:
    """Run one statement with `?` for each value; the rows it returns.

    Pass a UUID as it is; a datetime aware. SQLite answers with text for both and with 0 and
    1 for booleans: read them with `uid`, `when` and `bool`.
    """
    if is_postgres():
        return await connection().execute_query_dict(_numbered(statement), list(values))
    plain = [_plain(value) for value in values]
    return await connection().execute_query_dict(statement, plain)


async def over(
    statement: str, columns: Mapping[str, str], rows: Sequence[Row], *values: object
) -> list[Row]:
    """Run one statement over any number of rows, which it sees as the table `v`.

    All rows travel in one parameter, so the text, and what the database has prepared for
    it, is the same for one row and for a thousand.

    Args:
        statement: holds `{v}` where the table stands, before any `?`.
        columns: name -> PostgreSQL type of the columns of `v`.
        rows: what is in it.
        values: for the `?` after it.
    """
    packed = json.dumps(rows, default=_packed, ensure_ascii=False, separators=(",", ":"))
    postgres = is_postgres()
    text = _with_table(statement, tuple(columns.items()), postgres)
    return await fetch(text, packed, *values)


def among(column: str, ids: Collection[UUID]) -> tuple[str, object]:
    """The condition that `column` is one of `ids`, and the value for its one `?`.

    One parameter for any number of ids, so that no list is too long; a single one by `=`,
    so that an index goes on giving the order.
    """
    if len(ids) == 1:
        return f"{column} = ?", next(iter(ids))
    if is_postgres():
        return f"{column} = ANY(?::uuid[])", sorted(ids)
    return (
        f"{column} IN (SELECT value FROM json_each(?))",  # noqa: S608  (names of columns)
        json.dumps(sorted(map(str, ids))),
    )


async def serialise(*names: str) -> None:
    """Until the end of this transaction, be the only one that asked for any of `names`.

    One statement. Nothing to do on SQLite: a transaction there is alone from its beginning.
    Before the audit line of the transaction, which waits for all others: whoever holds that
    and then waits for a name may wait for one who waits for the audit.
    """
    if is_postgres():
        await fetch(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(?::text[]) name",
            list(names),
        )


def when(value: object) -> datetime | None:
    """A point in time out of a returned row."""
    return None if value is None else moment(value)


def moment(value: object) -> datetime:
    """A point in time out of a column that is never null."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError(f"not a time: {type(value).__name__}")
    return value.astimezone(UTC)


def uid(value: object) -> UUID | None:
    """An id out of a returned row."""
    return None if value is None else UUID(str(value))


def unpacked(value: object) -> Any:
    """The content of a JSON column out of a returned row."""
    return json.loads(value) if isinstance(value, str) else value


def _plain(value: object) -> object:
    if isinstance(value, datetime):  # as the ORM writes it, so that text compares as time does
        return value.astimezone(UTC).isoformat(" ")
    return str(value) if isinstance(value, UUID) else value


def _packed(value: object) -> object:
    plain = _plain(value)
    if plain is value:
        raise TypeError(f"cannot travel: {type(value).__name__}")
    return plain


@lru_cache(maxsize=256)
def _numbered(statement: str) -> str:
    first, *rest = statement.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


@lru_cache(maxsize=64)
def _with_table(statement: str, columns: tuple[tuple[str, str], ...], postgres: bool) -> str:
    if postgres:
        typed = ", ".join(f"{name} {kind}" for name, kind in columns)
        table = f"jsonb_to_recordset(?::jsonb) AS v({typed})"
    else:
        picked = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name, _ in columns)
        table = f"(SELECT {picked} FROM json_each(?)) AS v"  # noqa: S608  (names of columns)
    return statement.replace("{v}", table)
