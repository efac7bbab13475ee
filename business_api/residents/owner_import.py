"""业主 in the workbook of houses (F24): the owner who lives there from now on."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from business_api.accounts import sessions
from business_api.authz.permissions import Permission
from business_api.imports.kinds import Batch, Finding, Words
from business_api.places.house_import import More
from business_api.places.models import House
from business_api.residents import people_columns, people_rows, people_writing
from business_api.residents.models import ResidentType
from business_api.residents.people_rows import Known, Said

_PREFIX: Final = "owner_"
COLUMNS: Final = people_columns.person(_PREFIX, Words("业主姓名", "Owner"), required=False)


class _Held(NamedTuple):
    known: Known
    said: Sequence[Said]


async def lock(batch: Batch) -> _Held:
    """See `More.lock`: the rows that say anything of an owner, and whom they may mean."""
    said = [
        Said(row, _PREFIX, ResidentType.OWNER)
        for row in batch.rows
        if any(row.values[column.key] is not None for column in COLUMNS)
    ]
    return _Held(await people_rows.lock(batch, said), said)


async def check(batch: Batch, held: _Held, houses: Mapping[int, House]) -> Mapping[int, Finding]:
    """See `More.check`."""
    return await people_rows.check(batch, held.known, held.said, houses)


OWNERS: Final = More(
    columns=COLUMNS,
    permission=Permission.RESIDENT_MANAGE,
    lock=lock,
    check=check,
    apply=people_writing.apply,
    kicks=(sessions.TOPIC,),
)
"""For `places.house_import.kind`."""
