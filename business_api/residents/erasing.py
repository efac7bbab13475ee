"""Erasing somebody who has gone: nothing sealed for it can be read again, by anybody."""

from typing import Final

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.people import editing
from business_api.people.models import Person
from business_api.residents.errors import StillLivesHere
from business_api.residents.models import Occupancy
from business_api.residents.times import unended
from foundation import jobs
from foundation.db import connection, is_postgres
from foundation.errors import DomainError, Kind
from foundation.runner import Context

SCRUB: Final = "residents.scrub"


class StillRead(DomainError):
    """Old versions of rows cannot be thrown away while somebody reads them."""

    kind, code, title = Kind.UNAVAILABLE, "still-read", "The database is being read"
    title_zh = "数据库正在被读取"


async def erase(context: Context, actor: Actor, person: Person) -> None:
    """Destroy a person's data. The second time nothing happens.

    Raises:
        StillLivesHere: it lives here, or is to: end that first.
    """
    async with in_transaction():
        await Person.filter(id=person.id).select_for_update().get()  # nobody moves it in now
        homes = Occupancy.filter(person_id=person.id)
        if await homes.filter(unended(context.clock())).exists():
            raise StillLivesHere
        if not await editing.erase(context, person):
            return
        await homes.update(landline_sealed=None)
        await jobs.enqueue(SCRUB, {}, key=SCRUB, clock=context.clock)
        await auditing.note(context, actor, "person.erase", f"person/{person.id}", person.site)
    context.wake.kick(jobs.TOPIC)


async def scrub() -> None:
    """Have nothing of destroyed keys left in the files of a SQLite database.

    Its log keeps old versions of rows until it is emptied. On PostgreSQL dead versions go
    with the server's own vacuum, its log and the backups with their age.

    Raises:
        StillRead: somebody is reading old versions just now; try again.
    """
    if is_postgres():
        return
    rows = await connection().execute_query_dict("PRAGMA wal_checkpoint(TRUNCATE)")
    if rows and rows[0]["busy"]:
        raise StillRead
