"""How often doors were opened: for statistics of communities."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from device_registry.journal import kinds
from foundation import sql

_OPENED: Final = ", ".join(
    f"'{type_}'"
    for type_, outcome in kinds.OPENINGS.items()
    if outcome in (kinds.GRANTED, kinds.EXECUTED)
)
_COUNTS: Final = """
SELECT community_id, {columns} FROM (
    SELECT community_id, at FROM registry_open_command
        WHERE {scope} AND at >= ? AND at < ? AND state = 'executed'
    UNION ALL
    SELECT community_id, at FROM registry_device_event
        WHERE {scope} AND opening AND at >= ? AND at < ? AND type IN ({opened})
        AND coalesce(result, '') <> 'unknown'
) AS o GROUP BY community_id
"""


async def openings(
    communities: Collection[UUID], since: Sequence[datetime], until: datetime
) -> dict[UUID, list[int]]:
    """How often a door of each community was opened since each of some times. One statement.

    Openings that happened, like those in 开门记录: neither tries nor refusals.

    Args:
        communities: of these; one without any openings too.
        since: one count for each; the earliest bounds what is read.
        until: and before that.
    """
    found = {community_id: [0] * len(since) for community_id in communities}
    if not found or not since:
        return found
    columns = ", ".join(
        f"sum(CASE WHEN at >= ? THEN 1 ELSE 0 END) AS n{place}" for place in range(len(since))
    )
    scope, value = sql.among("community_id", found.keys())
    statement = _COUNTS.format(columns=columns, scope=scope, opened=_OPENED)
    period = (value, min(since), until)
    for row in await sql.fetch(statement, *since, *period, *period):
        found[UUID(str(row["community_id"]))] = [int(row[f"n{n}"]) for n in range(len(since))]
    return found
