"""PostgreSQL for Tortoise, with connections that always come back to the pool.

Two things are different from Tortoise 1.1:

- It loses a connection when beginning a transaction fails or is cancelled (a client went away):
  after as many of those as the pool is large nothing reaches the database.
- When the connection breaks inside a transaction (the server restarted), the task goes on using
  it for ever, though it was given back to the pool.
"""

# ruff: noqa: SLF001  (what is mended is not Tortoise's public face)

from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections


class _Context(TransactionContextPooled):
    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        pool: Any = self.client._parent._pool
        self.client._connection = await pool.acquire()
        try:
            await self.client.begin()
        except BaseException:
            await pool.release(self.client._connection)  # rolls back, shielded
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        client: Any = self.client
        try:
            if not client._finalized:
                await (client.rollback() if exc_type else client.commit())
        finally:
            get_connections().reset(self.token)
            await client._parent._pool.release(client._connection)


class Client(AsyncpgDBClient):
    """See the module."""

    def _in_transaction(self) -> TransactionContext:
        return _Context(TransactionWrapper(self), self._pool_init_lock)


client_class = Client
