"""The `linli` command. Rooms add theirs by entry points, loaded only when they are called."""

import platform
import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
import typer.core
from rich.console import Console
from rich.table import Table

from foundation import audit as audit_chain
from foundation import migrate as migrations
from foundation import settings_doc
from foundation.commands import awaited, in_context, in_one_line, quiet
from foundation.errors import DomainError, Kind
from foundation.serve import run as run_services

__all__ = ["app", "awaited", "in_context", "main", "quiet"]


class BrokenCommand(DomainError):
    """The module behind a command cannot be loaded."""

    kind, code, title = Kind.UNAVAILABLE, "broken-command", "The command cannot be loaded"
    title_zh = "命令无法加载"


class _Commands(typer.core.TyperGroup):
    """Our own commands, then those of the entry points, each loaded when it is needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *sorted(_found())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = _found().get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        try:
            # An app with one command becomes that command: `linli emulate --count 3`.
            command = typer.main.get_command(entry.load())
        except Exception as error:  # noqa: BLE001  (the other commands must go on working)
            return _broken(cmd_name, error)
        command.name = cmd_name
        return command


def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="linli.commands")}


def _broken(name: str, error: Exception) -> typer.core.TyperCommand:
    """A command that says why it is none."""

    def fail() -> None:
        raise BrokenCommand(f"{name}: {type(error).__name__}: {error}") from error

    return typer.core.TyperCommand(
        name,
        callback=fail,
        help=f"(cannot be loaded: {error})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


app = typer.Typer(
    cls=_Commands,
    help="linli (邻里): a smart-community platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
audit = typer.Typer(help="The audit chain.", no_args_is_help=True)
app.add_typer(audit, name="audit")


@app.command()
def serve(
    services: Annotated[
        list[str] | None, typer.Argument(help="Which; all when none is named.")
    ] = None,
) -> None:
    """Run the platform until SIGINT or SIGTERM."""
    run_services(settings_doc.read(), services or [])


@app.command()
@awaited
async def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say whether it is needed.")] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print what would be done, do nothing.")
    ] = False,
) -> None:
    """Bring the database to the tables of this version."""
    settings = settings_doc.read()
    quiet(settings)
    if sql:
        for step in await migrations.pending(settings.database):
            print(f"-- {step}", *await migrations.statements(settings.database, step), sep="\n")
        return
    if check:
        trouble = await migrations.at_head(settings.database)
        if trouble is not None:
            raise migrations.NotMigrated(trouble)
        made = []
    else:
        made = await migrations.upgrade(settings.database)
    for step in made:
        print(f"made {step}")
    if not made:
        print("The database is up to date.")


@audit.command("verify")
@awaited
async def verify() -> None:
    """Check the audit chain: that no line of it was changed or taken out."""
    found = settings_doc.read()
    quiet(found)
    async with in_context(found, relay=False):
        broken = await audit_chain.broken_at()
    if broken is not None:
        raise audit_chain.ChainBroken(f"line {broken} does not fit")
    print("The audit chain is whole.")


@app.command()
def settings(
    *,
    env: Annotated[bool, typer.Option("--env", help="As a file of variables.")] = False,
) -> None:
    """Print every setting: name, value, default and meaning. Secrets are not shown."""
    found = settings_doc.entries(settings_doc.read())
    if env:
        for entry in found:
            print(f"# {entry.meaning}")
            unset = entry.value in ("", "***")
            print(f"{'# ' if unset else ''}{entry.name}={entry.value}\n")
        return
    table = Table("Name", "Value", "Default", "Meaning", show_lines=False)
    for entry in found:
        table.add_row(*entry)
    width = None if sys.stdout.isatty() else 200
    Console(width=width).print(table)


@app.command(name="version")
def show_version() -> None:
    """Print the versions of linli and Python."""
    print(f"linli {version('linli')}, Python {platform.python_version()}")


def main() -> None:
    """Entry point. What an operator can act on is one line and exit code 2."""
    try:
        app(prog_name="linli")
    except Exception as error:
        line = in_one_line(error)
        if line is None:
            raise
        print(f"linli: {line}", file=sys.stderr)
        sys.stdout.flush()
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
