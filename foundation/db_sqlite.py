"""SQLite for Tortoise, with transactions that begin safely.

Two things are different from Tortoise 1.1:

- It begins DEFERRED: a transaction that reads and then writes while another process writes
  fails with SQLITE_BUSY at once, whatever the busy time-out. IMMEDIATE waits its turn.
- It keeps its lock for ever when beginning fails or is cancelled (a client went away): from
  then on nothing in the process reaches the database.
"""

import sqlite3

from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError


class _Transaction(SqliteTransactionWrapper):
    async def begin(self) -> None:
        try:
            await self._connection.commit()
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error

    async def undo(self) -> None:
        """Roll back a BEGIN that nobody waited for; nothing when there was none."""
        await self._connection.rollback()

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))


class _Context(SqliteTransactionContext):
    connection: _Transaction

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:
            try:
                # Statements run one after the other in a thread: this one follows the BEGIN
                # even if we are cancelled again while we wait for it.
                await self.connection.undo()
            finally:
                self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection


class Client(SqliteClient):
    """See the module."""

    def _in_transaction(self) -> TransactionContext:
        return _Context(_Transaction(self), self._lock)


client_class = Client
