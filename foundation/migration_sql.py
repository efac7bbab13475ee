"""A migration step in raw SQL, where SQLite and PostgreSQL say it differently."""

from collections.abc import Sequence

from tortoise.migrations.operations import TortoiseOperation
from tortoise.migrations.schema_editor import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State


class ByDialect(TortoiseOperation):
    """Statements that change no table Tortoise knows: triggers, functions, policies.

    Each is one statement, written so that it can run twice (`IF NOT EXISTS`, `OR REPLACE`).
    There is no way back: a step is undone by another step.
    """

    reduces_to_sql = True
    reversible = False

    def __init__(self, *, sqlite: Sequence[str], postgres: Sequence[str]) -> None:
        self.sql = {"sqlite": sqlite, "postgres": postgres}

    def describe(self) -> str:
        """For the list of what a step does."""
        return "Raw SQL"

    def state_forward(self, app_label: str, state: State) -> None:
        """Nothing that models show changes."""

    async def database_forward(
        self,
        app_label: str,  # noqa: ARG002
        old_state: State,  # noqa: ARG002
        new_state: State,  # noqa: ARG002
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Run, or collect, the statements of the dialect at hand."""
        if state_editor is None:
            return
        for statement in self.sql[state_editor.DIALECT]:
            if state_editor.collect_sql:
                state_editor.collected_sql.append(statement)
            else:
                await state_editor.client.execute_query(statement)
