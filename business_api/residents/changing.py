"""Changing an occupancy that goes on: its times, its landline, the order of calls."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api import auditing, phones
from business_api.accounts import sessions
from business_api.actors import Actor
from business_api.people.models import Person
from business_api.places.models import House
from business_api.residents import doors, house_states, moves
from business_api.residents.errors import OccupancyEnded, WrongCallOrder
from business_api.residents.models import Occupancy
from business_api.residents.times import Standing, checked, standing, unended
from business_api.versions import Stale
from foundation.runner import Context


async def change(
    context: Context,
    actor: Actor,
    home: Occupancy,
    *,
    version: int,
    changes: Mapping[str, Any],
) -> None:
    """Change `valid_from`, `valid_to`, `call_order` or `landline`; the doors follow.

    Args:
        context: of the process.
        actor: who.
        home: as it was read, its person and house loaded; afterwards as it was written.
        version: which the change was made on.
        changes: what is to be different; None as `valid_to`: until further notice, as
            `landline`: none.

    Raises:
        Stale: somebody else changed it.
        OccupancyEnded: it is over.
        BadValidity, BadPhone: see `moves.move_in`.
    """
    async with in_transaction():
        await doors.lock(home.person.account_id)
        person = await Person.filter(id=home.person.id).select_for_update().get()
        fresh = await Occupancy.filter(id=home.id).select_for_update().get()
        if standing(fresh, context.clock()) is Standing.ENDED:
            raise OccupancyEnded
        if fresh.version != version:
            raise Stale
        await _apply(context, person, fresh, changes)
        fresh.version += 1
        await fresh.save()
        await house_states.lock(home.house.id)
        await house_states.follow(context, home.house.id)
        await doors.follow_person(context, actor, person)
        await auditing.note(
            context,
            actor,
            "occupancy.change",
            f"occupancy/{home.id}",
            home.site,
            before=_times(home),
            after=_times(fresh),
            changed=sorted(changes),
        )
    home.update_from_dict({name: getattr(fresh, name) for name in (*_CHANGED, "version")})
    context.wake.kick(sessions.TOPIC)


_CHANGED = ("valid_from", "valid_to", "call_order", "landline_sealed")


async def _apply(
    context: Context, person: Person, home: Occupancy, changes: Mapping[str, Any]
) -> None:
    if "valid_from" in changes or "valid_to" in changes:
        home.valid_from, home.valid_to = checked(
            changes.get("valid_from", home.valid_from),
            changes.get("valid_to", home.valid_to),
            context.clock(),
        )
    if "call_order" in changes:
        home.call_order = changes["call_order"]
    if "landline" in changes:
        landline = changes["landline"]
        home.landline_sealed = (
            moves.seal_landline(context, person, home, phones.normal(landline))
            if landline is not None
            else None
        )
        await person.save(update_fields=["data_key"])


async def order_calls(
    context: Context, actor: Actor, house: House, occupancy_ids: Sequence[UUID]
) -> None:
    """Ring the members of a house in this order (BR23): 1, 2, 3 … A fixed number of statements.

    Raises:
        WrongCallOrder: it does not name everybody who lives there or is to live there once:
            somebody has come or gone meanwhile.
    """
    async with in_transaction():
        there = Occupancy.filter(unended(context.clock()), house_id=house.id)
        homes = {home.id: home for home in await there.order_by("id").select_for_update()}
        if len(occupancy_ids) != len(homes) or set(occupancy_ids) != set(homes):
            raise WrongCallOrder
        for number, id_ in enumerate(occupancy_ids, 1):
            homes[id_].call_order = number
            homes[id_].version += 1
        await Occupancy.bulk_update(homes.values(), ["call_order", "version"])
        await auditing.note(
            context,
            actor,
            "house.call_order",
            f"house/{house.id}",
            house.site,
            after={"order": [str(id_) for id_ in occupancy_ids]},
        )


def _times(home: Occupancy) -> dict[str, str | int | None]:
    return {
        "valid_from": home.valid_from.isoformat(),
        "valid_to": home.valid_to.isoformat() if home.valid_to else None,
        "call_order": home.call_order,
    }
