"""PostgreSQL for Tortoise, with connections that always come back to the pool.

Different from Tortoise 1.1:

- It loses a connection when beginning a transaction fails or is cancelled (a client went away):
  after as many of those as the pool is large nothing reaches the database.
- When the connection breaks inside a transaction (the server restarted), the task goes on using
  it for ever, though it was given back to the pool.
"""

# ruff: noqa: SLF001  (what is mended is not Tortoise's public face)

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections

from foundation import fence


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that knows which fence it was last set to."""

    __slots__ = ("fence",)

    async def set_fence(self) -> None:
        """See only what the fence of this task lets through. Nothing to do if it is set so."""
        wanted = fence.current.get()
        if getattr(self, "fence", None) != wanted:
            await self.execute("SELECT set_config('linli.fence', $1, false)", wanted)
            self.fence = wanted


async def _taken(connection: Any) -> None:
    await connection.set_fence()


async def _given_back(_: Any) -> None:
    """Nothing: see the module."""


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

    connection_class = _Connection

    async def create_pool(self, **kwargs: Any) -> asyncpg.Pool:
        """A pool that puts connections behind the fence of who takes them."""
        return await asyncpg.create_pool(None, setup=_taken, reset=_given_back, **kwargs)

    def _in_transaction(self) -> TransactionContext:
        return _Context(TransactionWrapper(self), self._pool_init_lock)


client_class = Client
