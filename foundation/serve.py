"""`linli serve`: builds the services from their entry points and runs them."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import structlog
import uvloop

from foundation import db, log, migrate
from foundation.commands import in_context
from foundation.errors import DomainError, Kind
from foundation.runner import Service, serve
from foundation.settings import Settings
from foundation.wake_local import Ear
from foundation.wake_pg import Relay

_log = structlog.get_logger()

FIRST: Final = ("broker", "registry")
"""These start before others, which stand on them; `LAST` after all: it answers to people."""
LAST: Final = ("api",)


class CannotServe(DomainError):
    """The services asked for cannot run here, or not together."""

    kind, code, title = Kind.CONFLICT, "cannot-serve", "The platform cannot start"
    title_zh = "平台无法启动"


def run(settings: Settings, names: Sequence[str]) -> None:
    """Serve `names` (all when empty) until SIGINT or SIGTERM.

    Raises:
        CannotServe: an unknown service, one without those it needs, or a second platform
            on the same SQLite database.
        DomainError: see `in_context`; and whatever a service raises from `start`.
        OSError: a port is taken.
    """
    log.configure(json=settings.log_json, level=settings.log_level)
    chosen = _chosen(names)
    if names and db.sqlite_path(settings.database) is not None:
        raise CannotServe("on SQLite all services run in one process: name none of them")
    with _alone(settings):
        uvloop.run(_serve(settings, chosen))


def available() -> list[EntryPoint]:
    """Every service there is, in the order of start."""
    return sorted(entry_points(group="linli.services"), key=_rank)


def _rank(entry: EntryPoint) -> tuple[int, str]:
    if entry.name in FIRST:
        return FIRST.index(entry.name), ""
    return (len(FIRST) + 1 if entry.name in LAST else len(FIRST)), entry.name


def _chosen(names: Sequence[str]) -> list[EntryPoint]:
    every = available()
    unknown = set(names) - {entry.name for entry in every}
    if unknown:
        there = ", ".join(entry.name for entry in every)
        raise CannotServe(f"no such service: {', '.join(sorted(unknown))} (there are: {there})")
    chosen = [entry for entry in every if not names or entry.name in names]
    missing = [entry.name for entry in every[: every.index(chosen[-1])] if _lacks(entry, chosen)]
    if missing:
        last = chosen[-1].name
        raise CannotServe(f"{last} needs in its process: {', '.join(missing)}")
    return chosen


def _lacks(entry: EntryPoint, chosen: Sequence[EntryPoint]) -> bool:
    """Whether others stand on `entry` and it is not there: stations are in one process alone."""
    return entry.name in FIRST and entry not in chosen


async def _serve(settings: Settings, chosen: Sequence[EntryPoint]) -> None:
    async with in_context(settings, relay=False) as context:
        context.health.add("database", _database_trouble)
        context.health.add("migrations", migrate.trouble)
        services: list[Service] = [
            Relay(context.wake, settings.database)
            if db.is_postgres()
            else Ear(context.wake, settings.data_dir)
        ]
        for entry in chosen:
            try:
                services.append(entry.load()(context))
            except LookupError as error:
                raise CannotServe(f"{entry.name}: {error}") from error
        await serve(services)


async def _database_trouble() -> str | None:
    await db.connection().execute_query("SELECT 1")
    return None


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """SQLite allows one platform on a data folder; the lock goes with the process."""
    if db.sqlite_path(settings.database) is None:
        yield
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / "serve.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CannotServe(
                f"another `linli serve` (process {file.read().strip() or '?'}) "
                f"runs on {settings.data_dir}; SQLite allows one"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
