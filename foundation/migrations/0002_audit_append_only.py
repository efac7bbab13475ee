"""What stands in the audit chain stays there: changing or deleting a line is refused."""

from tortoise import migrations

from foundation.migration_sql import ByDialect


class Migration(migrations.Migration):
    dependencies = [("foundation", "0001_initial")]

    operations = [
        ByDialect(
            sqlite=[
                """
                CREATE TRIGGER IF NOT EXISTS audit_event_no_update BEFORE UPDATE ON audit_event
                BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END
                """,
                """
                CREATE TRIGGER IF NOT EXISTS audit_event_no_delete BEFORE DELETE ON audit_event
                BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END
                """,
            ],
            postgres=[
                """
                CREATE OR REPLACE FUNCTION audit_event_append_only() RETURNS trigger AS $$
                BEGIN RAISE EXCEPTION 'audit_event is append-only'; END
                $$ LANGUAGE plpgsql
                """,
                """
                CREATE OR REPLACE TRIGGER audit_event_append_only
                BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
                EXECUTE FUNCTION audit_event_append_only()
                """,
            ],
        )
    ]
