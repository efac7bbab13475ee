"""SQLite for Tortoise, with transactions that take the write lock when they begin.

Tortoise begins DEFERRED: a transaction that reads and then writes while another process
writes fails with SQLITE_BUSY at once, whatever the busy time-out. IMMEDIATE waits its turn.
"""

import sqlite3

from tortoise.backends.base.client import NestedTransactionContext, TransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.exceptions import OperationalError


class _Transaction(SqliteTransactionWrapper):
    async def begin(self) -> None:
        try:
            await self._connection.commit()
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))


class Client(SqliteClient):
    """See the module."""

    def _in_transaction(self) -> TransactionContext:
        return SqliteTransactionContext(_Transaction(self), self._lock)


client_class = Client
