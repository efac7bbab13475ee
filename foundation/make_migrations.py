"""`make migrations`: writes down how the tables changed. For developers, in a checkout.

`--check` says what is missing and writes nothing. `--squash` writes every package's first step
anew in place of all that were written here, for as long as no version was released; a database
made before that is useless then. Steps written by hand (raw SQL) stay.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, cast

from tortoise.apps import Apps
from tortoise.context import TortoiseContext
from tortoise.fields import BigIntField, IntField
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.writer import ImportManager, MigrationWriter

from foundation import db
from foundation.migrate import differences
from foundation.settings import Database

FIRST = "0001_initial"


class _Writer(MigrationWriter):
    """Tortoise's, which forgets that a whole-number key may be given and not generated."""

    def _render_field(self, field: Any, imports: ImportManager) -> str:
        text = super()._render_field(field, imports)
        if field.pk and isinstance(field, IntField | BigIntField) and not field.generated:
            return f"{text[:-1]}, generated=False)"
        return text


async def write(*, squash: bool = False) -> list[Path]:
    """Write what is missing; return the new files, in no particular order."""
    if squash:
        _forget()
    async with TortoiseContext() as context:
        await context.init(config=db.config(Database()), init_connections=False)
        models = cast(Apps, context.apps)  # init made it
        detector = _FirstSteps if squash else MigrationAutodetector
        changes = await detector(models, db.apps()).changes()
    return [_Writer(**vars(change)).write() for change in changes]


def _forget() -> None:
    """Remove the steps that were written here."""
    for app in db.apps().values():
        folder = Path(db.package_path(app["migrations"])[0])
        for made in (*folder.glob(f"{FIRST}.py"), *folder.glob("[0-9]*_auto_*.py")):
            made.unlink()


class _FirstSteps(MigrationAutodetector):
    """Compares with nothing, not with steps that stand on the one that was removed."""

    async def changes(self) -> list[MigrationWriter]:
        self.loader.build_graph = _nothing  # type: ignore[method-assign]
        found = await super().changes()
        for writer in found:
            writer.name, writer.initial, writer.dependencies = FIRST, True, []
        return found


async def _nothing() -> None:
    """In place of reading the steps there are."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--squash", action="store_true", help="write the first steps anew")
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    chosen = parser.parse_args()
    if chosen.check:
        missing = asyncio.run(differences())
        sys.stderr.writelines(f"{line}: run `make migrations`\n" for line in missing)
        sys.exit(1 if missing else 0)
    for path in asyncio.run(write(squash=chosen.squash)):
        print(path)  # noqa: T201


if __name__ == "__main__":
    main()
