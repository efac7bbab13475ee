import asyncio
import sqlite3
import sys
import uuid
from pathlib import Path

import asyncpg
import pytest
from tortoise.exceptions import BaseORMException

from foundation import db, migrate
from foundation.migrate import Step
from foundation.settings import Database
from tests.support import commands

RECORD = (
    "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('foundation', '9999_x', {})"
)


async def execute(database: Database, statement: str) -> None:
    async with db.opened(database):
        await db.connection().execute_query(statement)


async def tables(database: Database) -> set[tuple[object, ...]]:
    """Every column, index and constraint there is, apart from the list of steps."""
    path = db.sqlite_path(database)
    found: set[tuple[object, ...]] = set()
    if path is not None:
        connection = sqlite3.connect(path)
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in connection.execute(f"PRAGMA table_info({name})"):
                found.add((name, *row[1:]))
            for row in connection.execute(f"PRAGMA index_list({name})").fetchall():
                columns = connection.execute(f"PRAGMA index_info({row[1]})")
                found.add((name, row[2], tuple(column[2] for column in columns)))
            for row in connection.execute(f"PRAGMA foreign_key_list({name})"):
                found.add((name, *row[2:]))
        connection.close()
    else:
        connection = await asyncpg.connect(database.url.get_secret_value())
        for statement in (
            (
                "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, "
                "column_default FROM information_schema.columns WHERE table_schema = 'public'"
            ),
            "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            (
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
                "FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
            ),
        ):
            found |= {tuple(row) for row in await connection.fetch(statement)}
        await connection.close()
    return {row for row in found if row[0] not in ("tortoise_migrations", "sqlite_sequence")}


async def test_models_and_migrations_agree():
    assert await migrate.differences() == [], "run `make migrations`"


async def test_migrations_make_the_tables_that_the_models_say(bare_database: Database):
    assert await migrate.upgrade(bare_database) == migrate.known()
    made = await tables(bare_database)
    path = db.sqlite_path(bare_database)
    if path is None:
        await execute(bare_database, "DROP SCHEMA public CASCADE")
        await execute(bare_database, "CREATE SCHEMA public")
    else:
        path.unlink()
    async with db.opened(bare_database) as context:
        await context.generate_schemas()
    assert made == await tables(bare_database)


async def test_behind_then_at_head_then_nothing_left_to_do(bare_database: Database):
    line = await migrate.at_head(bare_database)
    assert line is not None
    assert "run `linli migrate`" in line
    assert set(await migrate.pending(bare_database)) == set(migrate.known())
    await migrate.upgrade(bare_database)
    assert await migrate.at_head(bare_database) is None
    assert await migrate.pending(bare_database) == []
    assert await migrate.upgrade(bare_database) == []


async def test_a_database_from_a_newer_version(database: Database):
    now = "now()" if db.sqlite_path(database) is None else "'2030-01-01 00:00:00'"
    await execute(database, RECORD.format(now))
    line = await migrate.at_head(database)
    assert line == "the database is from a newer version of linli: it has foundation.9999_x"
    with pytest.raises(migrate.NotMigrated, match="newer version"):
        await migrate.upgrade(database)


async def test_two_migrators_at_once(bare_database: Database, tmp_path: Path):
    """Two processes: together they make every step once, and neither fails."""
    env = commands.environment(tmp_path, bare_database)
    runs = [asyncio.to_thread(commands.linli, "migrate", env=env) for _ in range(2)]
    done = await asyncio.gather(*runs)
    assert [run.returncode for run in done] == [0, 0], done
    made = [line for run in done for line in run.stdout.splitlines() if line.startswith("made ")]
    assert sorted(made) == sorted(f"made {step}" for step in migrate.known())
    assert await migrate.at_head(bare_database) is None


async def test_a_step_that_fails_leaves_nothing_behind(
    bare_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its tables and the note that it was made come together, or not at all."""
    name = f"half_{uuid.uuid4().hex}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_models.py").write_text(
        "from tortoise import fields, models\n"
        "class Half(models.Model):\n    id = fields.IntField(primary_key=True)\n"
    )
    step = """
from tortoise import migrations
from foundation.migration_sql import ByDialect

class Migration(migrations.Migration):
    operations = [ByDialect(sqlite=SQL, postgres=SQL)]
"""
    sql = "SQL = ['CREATE TABLE half (a INT)', 'INSERT INTO half VALUES (1)', {!r}]\n"
    (package / "0001_half.py").write_text(sql.format("SELECT nonsense") + step)
    monkeypatch.syspath_prepend(tmp_path)
    apps = db.apps() | {
        "half": {"models": [f"{name}._models"], "migrations": name, "default_connection": "default"}
    }
    monkeypatch.setattr(db, "apps", lambda: apps)
    with pytest.raises(BaseORMException, match="nonsense"):
        await migrate.upgrade(bare_database)
    made = set(migrate.known()) - set(await migrate.pending(bare_database))
    assert Step("half", "0001_half") not in made
    assert "half" not in {row[0] for row in await tables(bare_database)}

    (package / "0001_half.py").write_text(sql.format("SELECT 1") + step)
    del sys.modules[f"{name}.0001_half"]
    assert Step("half", "0001_half") in await migrate.upgrade(bare_database)
    assert "half" in {row[0] for row in await tables(bare_database)}


async def test_the_sql_can_be_read_before(bare_database: Database, tmp_path: Path):
    env = commands.environment(tmp_path, bare_database)
    run = await asyncio.to_thread(commands.linli, "migrate", "--sql", env=env)
    assert run.returncode == 0, run.stderr
    assert 'CREATE TABLE "audit_event"' in run.stdout.replace("IF NOT EXISTS ", "")
    assert "append-only" in run.stdout
    assert await migrate.at_head(bare_database), "nothing was done"
