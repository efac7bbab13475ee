"""The doors follow: who may open what, from where they live, and from nothing else.

大门 of the community, 楼栋, 单元: the places on the way home (`places.names.way_home`). Rights
begin and end with the occupancy by themselves, because they carry its times. No debt, no
bill and no payment is an input here, nor can be (a test walks the imports).
"""

from uuid import UUID

from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.people.models import Person
from business_api.places.models import House
from business_api.places.names import way_home
from business_api.residents.models import Occupancy
from business_api.residents.times import unended
from device_registry.access import grants
from foundation.runner import Context


async def lock(*account_ids: UUID | None) -> None:
    """Be the only one who changes rights of these accounts, until the transaction ends.

    First of all locks, and the audit's the last: account, person, occupancy, house, audit.
    Whoever takes them in another order can wait for somebody who waits for it. One
    statement, none on SQLite.
    """
    await grants.lock(*(account_id for account_id in account_ids if account_id))


async def follow(context: Context, actor: Actor | str, account_id: UUID, house: House) -> None:
    """Let an account open exactly what follows from living in this house, or not any more.

    Joins the caller's transaction; may append to the audit, so the last thing in it but the
    caller's own line. Safe at any time: it writes what ought to be. Two statements when
    nothing changes.
    """
    async with in_transaction():
        await lock(account_id)
        home = await Occupancy.get_or_none(
            unended(context.clock()),
            person__account_id=account_id,
            house_id=house.id,
            slot__isnull=False,
        )
        await _set(context, actor, account_id, house, home)


async def follow_person(context: Context, actor: Actor | str, person: Person) -> None:
    """The same for every home of a person, once it has an account. See `follow`."""
    if person.account_id is None:
        return
    async with in_transaction():
        await lock(person.account_id)
        homes = await Occupancy.filter(
            unended(context.clock()), person_id=person.id, slot__isnull=False
        ).select_related("house")
        for home in homes:
            await _set(context, actor, person.account_id, home.house, home)


async def _set(
    context: Context, actor: Actor | str, account_id: UUID, house: House, home: Occupancy | None
) -> None:
    await grants.set_remote(
        account_id,
        house.id,
        way_home(house) if home else (),
        valid_from=home.valid_from if home else None,
        valid_to=home.valid_to if home else None,
        actor=actor.audit if isinstance(actor, Actor) else actor,
        community_id=house.community_id,
        clock=context.clock,
    )
