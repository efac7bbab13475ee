"""Moving in and out: the row, the house's state, the doors and the audit in one transaction.

After COMMIT `sessions` is kicked, because roles follow from occupancies. Who calls from
inside a larger transaction kicks again after that one.
"""

from datetime import datetime
from uuid import UUID

from prometheus_client import Counter
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api import auditing, phones
from business_api.accounts import sessions
from business_api.actors import Actor
from business_api.people import sealing
from business_api.people.errors import NoSuchPerson
from business_api.people.models import Person
from business_api.places.models import House
from business_api.residents import doors, house_states
from business_api.residents.endings import ENDINGS
from business_api.residents.errors import ResidentThere
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import checked, unended
from business_api.tenancy import place
from foundation.runner import Context

MOVES = Counter("resident_moves_total", "People who moved in, and out, by what.", ["move"])


def slot(house_id: UUID, person_id: UUID) -> str:
    """What is unique while somebody lives somewhere."""
    return f"{house_id}/{person_id}"


async def move_in(
    context: Context,
    actor: Actor | str,
    house: House,
    person: Person,
    type_: ResidentType,
    *,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    call_order: int | None = None,
    landline: str | None = None,
    renew: bool = False,
) -> Occupancy:
    """Let a person live in a house, and open the doors on the way there if it signs in.

    Joins the caller's transaction: before the caller's own audit line, and after
    `doors.lock` of the account if the caller locks rows of its own.

    Args:
        context: of the process.
        actor: who.
        house: where.
        person: of the same community.
        type_: as what.
        valid_from: aware; None: now. Earlier is what happened, later is known in advance.
        valid_to: aware, not included; None: until further notice.
        call_order: rung in this order; None: last.
        landline: as typed.
        renew: who lives there already becomes `type_`, with these times, instead of being
            refused: somebody staff had entered is certified.

    Raises:
        NoSuchPerson: of another community, or erased.
        ResidentThere: it lives there already.
        BadValidity, BadPhone: see there.
    """
    begin, end_ = checked(valid_from, valid_to, context.clock())
    number = phones.normal(landline) if landline else None
    async with in_transaction():
        await doors.lock(person.account_id)
        known = await _lock_person(house, person)
        there = await _there(context, house, known)
        if there is not None and not renew:
            raise ResidentThere
        await house_states.lock(house.id)
        home = there or Occupancy(
            house=house,
            building_id=house.building_id,  # type: ignore[attr-defined]
            person=known,
            slot=slot(house.id, known.id),
            call_order=await _last(context, house) + 1,
            created_at=context.clock(),
            created_by=actor.account_id if isinstance(actor, Actor) else None,
            **place(house.site),
        )
        home.type, home.valid_from, home.valid_to = type_, begin, end_
        if call_order is not None:
            home.call_order = call_order
        if number is not None:
            home.landline_sealed = seal_landline(context, known, home, number)
            await known.save(update_fields=["data_key"])
        await _save(home, new=there is None)
        await house_states.follow(context, house.id)
        await doors.follow_person(context, actor, known)
        await _note(context, actor, "resident.renew" if there else "resident.move_in", home)
    MOVES.labels("renew" if there else "in").inc()
    context.wake.kick(sessions.TOPIC)
    return home


async def end(context: Context, actor: Actor | str, occupancy: Occupancy, reason: str) -> None:
    """End one occupancy: its rights, remote grants and credentials end with it, at once.

    Nothing happens when it has ended already. Joins the caller's transaction as `move_in`
    does.

    Args:
        context: of the process.
        actor: who.
        occupancy: which; afterwards it is as it was written.
        reason: a word of ours, e.g. `ended_by_staff`; at most 40 characters.
    """
    async with in_transaction():
        home = await Occupancy.get(id=occupancy.id).select_related("person", "house")
        account_id = home.person.account_id
        await doors.lock(account_id)
        changes = {"ended_at": context.clock(), "end_reason": reason, "slot": None}
        live = Occupancy.filter(id=home.id, ended_at=None)
        if not await live.update(**changes, version=home.version + 1):
            await occupancy.refresh_from_db()
            return
        home.update_from_dict(changes)
        await house_states.lock(home.house.id)
        await house_states.follow(context, home.house.id)
        await ENDINGS.happen(context, actor, [home])
        if account_id is not None:
            await doors.follow(context, actor, account_id, home.house)
        await _note(context, actor, "resident.end", home, reason=reason)
    occupancy.update_from_dict({**changes, "version": home.version + 1})
    MOVES.labels("out").inc()
    context.wake.kick(sessions.TOPIC)


def seal_landline(context: Context, person: Person, home: Occupancy, number: str) -> bytes:
    """A landline (normalised) for storage, with the person's key."""
    return sealing.seal(context, person, f"landline/{home.id}", number)


async def _lock_person(house: House, person: Person) -> Person:
    known = await Person.filter(id=person.id, erased_at=None).select_for_update().first()
    if known is None or known.community_id != house.community_id:
        raise NoSuchPerson
    return known


async def _there(context: Context, house: House, person: Person) -> Occupancy | None:
    """The occupancy that is not over. One that ran out gives its slot free."""
    now = context.clock()
    same = Occupancy.filter(slot=slot(house.id, person.id))
    there = await same.select_for_update().first()
    if there is None or there.valid_to is None or there.valid_to > now:
        return there
    await Occupancy.filter(id=there.id).update(
        slot=None, ended_at=there.valid_to, end_reason="expired"
    )
    return None


async def _last(context: Context, house: House) -> int:
    """The highest call order of those who live there."""
    there = Occupancy.filter(unended(context.clock()), house_id=house.id)
    last = await there.order_by("-call_order").first()
    return last.call_order if last else 0


async def _save(home: Occupancy, *, new: bool) -> None:
    """Two who move the same person in at once: the unique slot decides."""
    if not new:
        home.version += 1
    try:
        async with in_transaction():
            await home.save(force_create=new)
    except IntegrityError:
        raise ResidentThere from None


async def _note(
    context: Context, actor: Actor | str, action: str, home: Occupancy, reason: str = ""
) -> None:
    await auditing.note(
        context,
        actor,
        action,
        f"occupancy/{home.id}",
        home.site,
        house=str(home.house_id),  # type: ignore[attr-defined]
        person=str(home.person_id),  # type: ignore[attr-defined]
        type=home.type.value,
        valid_from=home.valid_from.isoformat(),
        valid_to=home.valid_to.isoformat() if home.valid_to else None,
        reason=reason,
    )
