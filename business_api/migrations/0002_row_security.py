"""PostgreSQL keeps each request among the rows of its own tenants (`foundation.fence`).

The fence is a setting of the session. Without one nothing is seen; `*` is everything. It
holds for the owner of the tables too, only a superuser is above it.
"""

from tortoise import migrations

from foundation.migration_sql import ByDialect


_TABLES = {
    "business_community": "ARRAY[operator_id, company_id, id]",
    "business_zone": "ARRAY[operator_id, company_id, community_id]",
    "business_building": "ARRAY[operator_id, company_id, community_id]",
    "business_unit": "ARRAY[operator_id, company_id, community_id]",
    "business_house": "ARRAY[operator_id, company_id, community_id]",
    "business_person": "ARRAY[operator_id, company_id, community_id]",
    "business_occupancy": "ARRAY[operator_id, company_id, community_id]",
    "business_hand_over": "ARRAY[operator_id, company_id, community_id]",
    "business_certification": "ARRAY[operator_id, company_id, community_id]",
    "business_certification_event": "ARRAY[operator_id, company_id, community_id]",
}

_FENCE = """
CREATE OR REPLACE FUNCTION linli_fence() RETURNS uuid[] LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN coalesce(current_setting('linli.fence', true), '') IN ('', '*')
        THEN '{}'::uuid[]
        ELSE string_to_array(current_setting('linli.fence', true), ',')::uuid[] END
$$
"""


def _statements() -> list[str]:
    made = [_FENCE]
    for table, ids in _TABLES.items():
        # In parentheses with SELECT each is worked out once a statement, not once a row.
        everything = "(SELECT current_setting('linli.fence', true)) = '*'"
        inside = f"{everything} OR {ids} && (SELECT linli_fence())"
        made += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS tenants ON {table}",
            f"CREATE POLICY tenants ON {table} USING ({inside}) WITH CHECK ({inside})",
        ]
    return made


class Migration(migrations.Migration):
    dependencies = [("business", "0001_initial")]

    operations = [ByDialect(sqlite=[], postgres=_statements())]
