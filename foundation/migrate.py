"""Bringing the database to the tables of this program: Tortoise's migrations, made safe.

What Tortoise 1.1 leaves open is closed here: one migrator at a time (a lock outside the
database's own transactions), and a step and the note that it was made commit together, so
that a crash between the two cannot be. A step that says `atomic = False` commits by itself
and must be written so that it can run twice.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from pkgutil import iter_modules
from sqlite3 import complete_statement
from typing import Final, NamedTuple, cast

import asyncpg
import structlog
from tortoise.apps import Apps
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.loader import MigrationLoader
from tortoise.migrations.migration import Migration
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor import (
    AsyncpgSchemaEditor,
    BaseSchemaEditor,
    SqliteSchemaEditor,
)
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.transactions import in_transaction

from foundation import db
from foundation.errors import DomainError, Kind
from foundation.settings import Database

log = structlog.get_logger()

_LOCK: Final = 0x6C696E6C69_02  # "linli", 2: one migrator at a time on PostgreSQL


class NotMigrated(DomainError):
    """The tables are not those of this program."""

    kind, code, title = Kind.UNAVAILABLE, "not-migrated", "The database does not fit"
    title_zh = "数据库版本不符"


class Step(NamedTuple):
    """One migration of one package."""

    app: str
    name: str

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


async def upgrade(database: Database) -> list[Step]:
    """Make every step that is not made yet; return those made now, in order.

    Waits while another process migrates. Opens the database itself: nothing else of this
    process may have it open.

    Raises:
        NotMigrated: the database is from a newer version of the program.
    """
    async with _alone(database), db.opened(database):
        newer = await _applied() - set(known())
        if newer:
            raise NotMigrated(_newer(newer))
        return await _upgrade()


async def at_head(database: Database) -> str | None:
    """None when the tables are those of this program, else one line that says what is wrong."""
    async with db.opened(database):
        return await trouble()


async def trouble() -> str | None:
    """`at_head` for the database that is open. One or two statements."""
    made, wanted = await _applied(), set(known())
    if made - wanted:
        return _newer(made - wanted)
    if wanted - made:
        return f"the database is behind by {len(wanted - made)} step(s): run `linli migrate`"
    return None


async def pending(database: Database) -> list[Step]:
    """The steps that `upgrade` would make, in no particular order across packages."""
    async with db.opened(database):
        made = await _applied()
    return [step for step in known() if step not in made]


async def statements(database: Database, step: Step) -> list[str]:
    """The SQL of one step, with comments, for reading. The database is not touched."""
    async with db.opened(database):
        loader, order = await _history()
        state = _empty_state()
        for key in order:
            migration = _migration(loader, key)
            if (key.app_label, key.name) == step:
                editor = _editor(db.connection(), atomic=False, collect_sql=True)
                await migration.apply(state, schema_editor=editor, collect_sql=True)
                return editor.collected_sql
            await migration.apply(state, dry_run=True, schema_editor=None)
    raise LookupError(str(step))


async def differences() -> list[str]:
    """What the models say and the migrations do not, one line each; empty when they agree."""
    async with TortoiseContext() as context:
        await context.init(config=db.config(Database()), init_connections=False)
        models = cast(Apps, context.apps)  # init made it
        changes = await MigrationAutodetector(models, db.apps()).changes()
    return [
        f"{writer.app_label}: {operation.describe()}"
        for writer in changes
        for operation in writer.operations
    ]


def known() -> list[Step]:
    """The steps this program brings, by package and number."""
    return [
        Step(app, found.name)
        for app, settings in db.apps().items()
        for found in iter_modules(db.package_path(settings["migrations"]))
        if found.name[0] not in "_~"
    ]


def _newer(steps: set[Step]) -> str:
    return f"the database is from a newer version of linli: it has {min(steps)}"


async def _applied() -> set[Step]:
    """What the database says was made; nothing when it is empty."""
    table = (
        "SELECT to_regclass('tortoise_migrations') AS name"
        if db.is_postgres()
        else "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'tortoise_migrations'"
    )
    found = await db.connection().execute_query_dict(table)
    if not found or found[0]["name"] is None:
        return set()
    rows = await db.connection().execute_query_dict("SELECT app, name FROM tortoise_migrations")
    return {Step(row["app"], row["name"]) for row in rows}


async def _upgrade() -> list[Step]:
    await MigrationRecorder(db.connection()).ensure_schema(_editor(db.connection(), atomic=False))
    applied = await _applied()
    loader, order = await _history()
    state = _empty_state()
    made: list[Step] = []
    for key in order:
        migration, step = _migration(loader, key), Step(key.app_label, key.name)
        if step in applied:
            await migration.apply(state, dry_run=True, schema_editor=None)
            continue
        if migration.atomic:
            async with _ddl() as client:
                await migration.apply(state, schema_editor=_editor(client, atomic=True))
                await MigrationRecorder(client).record_applied(*step)
        else:
            client = db.connection()
            await migration.apply(state, schema_editor=_editor(client, atomic=False))
            await MigrationRecorder(client).record_applied(*step)
        made.append(step)
        log.info("migration.applied", step=str(step))
    return made


@asynccontextmanager
async def _ddl() -> AsyncIterator[BaseDBAsyncClient]:
    """A transaction for one step.

    SQLite changes a table by making another in its place; that must not cascade through
    foreign keys, and the switch for them does nothing inside a transaction.
    """
    client = db.connection()
    sqlite = not db.is_postgres()
    if sqlite:
        await client.execute_query("PRAGMA foreign_keys=OFF")
    try:
        async with in_transaction() as transaction:
            yield transaction
            if sqlite and await transaction.execute_query_dict("PRAGMA foreign_key_check"):
                raise NotMigrated("a step would leave rows that point at nothing")
    finally:
        if sqlite:
            await client.execute_query("PRAGMA foreign_keys=ON")


async def _history() -> tuple[MigrationLoader, list[MigrationKey]]:
    """Every step of this program, each after those it depends on."""
    loader = MigrationLoader(db.apps(), MigrationRecorder(db.connection()))
    await loader.build_graph()
    order: dict[MigrationKey, None] = {}
    for leaf in loader.graph.leaf_nodes():
        order.update(dict.fromkeys(loader.graph.forwards_plan(leaf)))
    return loader, list(order)


def _migration(loader: MigrationLoader, key: MigrationKey) -> Migration:
    return cast(Migration, loader.graph.nodes[key])  # the graph was checked when it was built


def _empty_state() -> State:
    connections = {app: str(each["default_connection"]) for app, each in db.apps().items()}
    return State(models={}, apps=StateApps(default_connections=connections))


def _editor(
    client: BaseDBAsyncClient, *, atomic: bool, collect_sql: bool = False
) -> BaseSchemaEditor:
    kind = AsyncpgSchemaEditor if db.is_postgres() else _SqliteEditor
    return kind(client, atomic=atomic, collect_sql=collect_sql)


class _SqliteEditor(SqliteSchemaEditor):
    """Tortoise's, which takes a script apart at every semicolon: triggers and comments break."""

    async def _run_sql(self, sql: str) -> None:
        if self.collect_sql or not self.atomic_migration:
            await super()._run_sql(sql)
            return
        statement = ""
        for piece in sql.split(";"):
            statement += piece + ";"
            if complete_statement(statement):
                if statement.strip(" \n;"):
                    await self.client.execute_query(statement)
                statement = ""
        if statement.strip(" \n;"):
            raise NotMigrated(f"not a whole statement: {statement[:80]}")


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Keep other migrators out: an advisory lock, or a lock file beside the SQLite file."""
    path = db.sqlite_path(database)
    if path is None:
        try:
            holder = await asyncpg.connect(database.url.get_secret_value())
        except db.UNREACHABLE as error:
            raise db.BadDatabase(str(error) or type(error).__name__) from error
        try:
            await holder.execute("SELECT pg_advisory_lock($1)", _LOCK)
            yield
        finally:
            await holder.close()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    held = _locked(path.with_name(path.name + ".migrate.lock"))
    await asyncio.to_thread(held.__enter__)
    try:
        yield
    finally:
        held.__exit__(None, None, None)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
