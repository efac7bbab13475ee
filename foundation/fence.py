"""A second fence around rows: which part of the tenant tree this request may touch at all.

The first is every query's own filter. On PostgreSQL the tables of communities carry
row-level security besides: a statement sees and writes only rows whose operator, company or
community is inside the fence of the request it belongs to, whatever the query forgot to
ask. Jobs, command lines and requests about the caller's own account have no fence.

Each pooled connection knows the fence it was last set to, so that a change costs one round
trip and no change costs none. SQLite has no such thing: there the first fence is the only one.
"""

from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

from tortoise.backends.base.client import TransactionalDBClient
from tortoise.transactions import in_transaction

from foundation import db

EVERYTHING: Final = "*"

_SET: Final = "SELECT set_config('linli.fence', $1, true)"

current: Final[ContextVar[str]] = ContextVar("fence", default=EVERYTHING)
"""What a connection is set to when it is taken from the pool: ids, or `EVERYTHING`."""


def put_up(ids: Collection[UUID]) -> None:
    """From here on, statements of this task see rows of these tenants only.

    Args:
        ids: operators, companies and communities; with none nothing is seen.
    """
    current.set(",".join(sorted(str(id_) for id_ in ids)))


def take_down() -> None:
    """From here on there is no fence: for a task that works for everybody."""
    current.set(EVERYTHING)


@contextmanager
def none() -> Iterator[None]:
    """Without a fence while the block runs; whatever it puts up ends with it."""
    token = current.set(EVERYTHING)
    try:
        yield
    finally:
        current.reset(token)


@asynccontextmanager
async def lifted() -> AsyncGenerator[None]:
    """Without a fence while the block runs, also inside a transaction that began behind one.

    Its connection was set when it was taken: here it is set for the block, and set back, or
    rolled back with it. Four statements more on PostgreSQL inside a transaction, else none.
    """
    with none():
        if not (db.is_postgres() and isinstance(db.connection(), TransactionalDBClient)):
            yield
            return
        async with in_transaction() as block:
            was = await block.execute_query_dict("SELECT current_setting('linli.fence') AS value")
            await block.execute_query(_SET, [EVERYTHING])
            yield
            await block.execute_query(_SET, [was[0]["value"]])
