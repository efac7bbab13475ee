"""Telling people something: rows in the transaction of the fact, at once for any number."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api.messages.kinds import UnknownMessage
from business_api.messages.models import Lane
from business_api.messages.templates import template
from foundation import sql
from foundation.db import is_postgres
from foundation.ids import new_id
from foundation.runner import Context

TOPIC: Final = "messages"
"""Kicked when somebody was told something; without it that goes out a second later."""

FEW: Final = 50
"""Told to more than so many at once, a message stands back behind those to a few."""

_AT_ONCE: Final = 5000
_LONGEST_KEY: Final = 120

# All recipients travel in one parameter: the statement is the same for one and for thousands.
_INSERT: Final = """
    WITH told AS (SELECT v.id, v.account_id FROM {v})
    INSERT INTO business_message (id, account_id, kind, key, params, lane, created_at)
    SELECT id, account_id, CAST(? AS text), CAST(? AS text), CAST(? AS {json}),
           CAST(? AS smallint), CAST(? AS {time})
    FROM told WHERE true
    ON CONFLICT (account_id, kind, key) DO NOTHING RETURNING id
"""


async def tell(
    context: Context, kind: str, key: str, to: Collection[UUID], params: Mapping[str, str]
) -> int:
    """Tell accounts something, in the caller's transaction: neither fact nor word alone.

    A statement for 5000 of them. They see it in the app at once; `routing` brings it to the
    other channels. `context.wake.kick(TOPIC)` after COMMIT.

    Args:
        context: of the process.
        kind: of the catalogue, `templates.TEMPLATES`.
        key: who was told this kind under this key already is not told again. 1 to 120
            characters, e.g. the id of what happened.
        to: account ids.
        params: exactly those that the template names. Names of people at most; never
            telephone or ID numbers, never codes.

    Returns:
        How many were told, without those who had been already.

    Raises:
        UnknownMessage: no such kind, or a key that cannot be one.
        WrongParams: one is missing, or not known.
    """
    wanted = template(kind)
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise UnknownMessage("the key is empty, too long, or not text")
    filled = json.dumps(wanted.filled(params), ensure_ascii=False)
    people = sorted(set(to))  # in one order: two tellers at once never wait for each other
    lane = Lane.URGENT if wanted.urgent else Lane.FEW if len(people) <= FEW else Lane.MANY
    same = (kind, key, filled, int(lane), context.clock())
    told = 0
    async with in_transaction():
        for start in range(0, len(people), _AT_ONCE):
            told += await _insert(people[start : start + _AT_ONCE], same)
    return told


async def _insert(people: Sequence[UUID], same: tuple[object, ...]) -> int:
    """One statement. `same` are the values of the columns that all rows share."""
    types = ("jsonb", "timestamptz") if is_postgres() else ("text", "text")
    statement = _INSERT.replace("{json}", types[0]).replace("{time}", types[1])
    rows = [{"id": new_id(), "account_id": account_id} for account_id in people]
    told = await sql.over(statement, {"id": "uuid", "account_id": "uuid"}, rows, *same)
    return len(told)
