"""What every command of `linli` needs: an opened context, one form of answers and of errors."""

import asyncio
import errno
import functools
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from rich.console import Console
from rich.table import Table

from foundation import db, log, migrate, settings_doc
from foundation.errors import DomainError
from foundation.runner import Context
from foundation.security import load_keyring
from foundation.settings import Settings
from foundation.wake_local import mouth
from foundation.wake_pg import Relay

P = ParamSpec("P")
R = TypeVar("R")


@asynccontextmanager
async def in_context(
    settings: Settings | None = None, *, relay: bool = True
) -> AsyncIterator[Context]:
    """Settings, keys, the opened database and wake-ups, for a command that ends soon.

    Args:
        settings: those given, or those of the environment.
        relay: also wake other processes, and (PostgreSQL) hear from them.

    Raises:
        BadSettings: see `settings_doc.read`.
        BadKey: the master key cannot be read.
        BadDatabase: nobody answers at the database's address.
        NotMigrated: its tables are not those of this program.
    """
    settings = settings or settings_doc.read()
    secret = settings.master_key.get_secret_value() if settings.master_key else None
    context = Context(settings, load_keyring(settings.data_dir, secret))
    async with db.opened(settings.database):
        trouble = await migrate.trouble()
        if trouble is not None:
            raise migrate.NotMigrated(trouble)
        if relay and db.is_postgres():
            async with _relayed(context):
                yield context
            return
        if relay:
            context.wake.relay(mouth(settings.data_dir))
        yield context


@asynccontextmanager
async def opened() -> AsyncIterator[Context]:
    """`in_context`, for a command that prints its answer."""
    async with in_context() as context:
        quiet(context.settings)
        yield context


@asynccontextmanager
async def _relayed(context: Context) -> AsyncIterator[None]:
    relay, stop = Relay(context.wake, context.settings.database), asyncio.Event()
    await relay.start()
    running = asyncio.create_task(relay.run(stop), name="wake")
    try:
        yield
    finally:
        stop.set()
        await running
        await relay.close()


def awaited(command: Callable[P, Awaitable[R]]) -> Callable[P, R]:
    """Make an `async def` a command for typer: it runs in an event loop of its own."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        async def main() -> R:
            return await command(*args, **kwargs)

        return asyncio.run(main())

    return run


def quiet(settings: Settings) -> None:
    """Log as a command does: warnings only, for what it prints is its answer."""
    log.configure(json=settings.log_json, level="warning")


def actor() -> str:
    """Who does it, for the audit chain."""
    return f"shell/{getpass.getuser()}"[:80]


def print_page(table: Table, total: int) -> None:
    """One page, and how many rows there are."""
    console = Console()
    Console(width=None if console.is_terminal else 160).print(table)
    print(f"共 {total} 条")  # noqa: T201  (the answer of a command)


def plain(value: object) -> str:
    """A value as a cell."""
    return "" if value is None else str(value)


def in_one_line(error: BaseException) -> str | None:
    """What an operator can act on, in one line; None for what is a bug of ours."""
    if isinstance(error, BaseExceptionGroup):
        lines = [in_one_line(each) for each in error.exceptions]
        return None if None in lines else "; ".join(dict.fromkeys(map(str, lines)))
    if isinstance(error, DomainError):
        line = f"{error.title}: {error}" if str(error) else error.title
    elif isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        line = f"The port is taken: {error.strerror or error}"
    elif isinstance(error, OSError):
        line = str(error) or type(error).__name__
    else:
        return None
    return " ".join(line.split())
