"""Erasing somebody who has gone: nothing sealed for it can be read again, by anybody."""

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.people import editing
from business_api.people.models import Person
from business_api.residents.errors import StillLivesHere
from business_api.residents.models import Occupancy
from business_api.residents.times import unended
from foundation.runner import Context


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
        await auditing.note(context, actor, "person.erase", f"person/{person.id}", person.site)
