"""From rows to what the API shows: masked, and less for neighbours under one roof."""

from collections.abc import Sequence
from uuid import UUID

from business_api import phones
from business_api.accounts import accounts
from business_api.actors import Actor
from business_api.people import persons, sealing
from business_api.places.names import house_name
from business_api.residents import find, hand_overs
from business_api.residents.models import HandOver, Occupancy
from business_api.residents.schemas import HandOverOut, MyHouseOut, ResidentOut
from business_api.residents.times import standing
from foundation.runner import Context


async def resident(context: Context, actor: Actor, home: Occupancy) -> ResidentOut:
    """One; person and house with building and unit must be loaded. No statement."""
    person, staff = home.person, find.is_staff(actor, home.site)
    shown = await persons.masked(context, person)
    landline = (
        sealing.unseal(context, person, f"landline/{home.id}", home.landline_sealed)
        if staff
        else None
    )
    return ResidentOut(
        id=home.id,
        community_id=home.community_id,
        building_id=home.building_id,
        house_id=home.house.id,
        house_name=house_name(home.house),
        person_id=person.id,
        name=shown.name,
        phone=shown.phone,
        id_type=shown.id_type if staff else None,
        id_number=shown.id_number if staff else None,
        has_account=person.account_id is not None,
        type=home.type,
        state=standing(home, context.clock()),
        valid_from=home.valid_from,
        valid_to=home.valid_to,
        ended_at=home.ended_at,
        end_reason=home.end_reason,
        call_order=home.call_order,
        landline=phones.masked(landline) if landline else None,
        version=home.version,
    )


async def residents(
    context: Context, actor: Actor, homes: Sequence[Occupancy]
) -> list[ResidentOut]:
    """Many. No statement."""
    return [await resident(context, actor, home) for home in homes]


def my_house(actor: Actor, home: Occupancy, community_name: str) -> MyHouseOut:
    """A house of the actor's own."""
    house = home.house
    return MyHouseOut(
        id=house.id,
        name=house_name(house),
        community_id=home.community_id,
        community_name=community_name,
        building_id=home.building_id,
        unit_id=house.unit.id if house.unit else None,
        house_state=house.state,
        occupancy_id=home.id,
        type=home.type,
        state=standing(home, actor.now),
        since=home.valid_from,
        until=home.valid_to,
    )


async def hand_over_list(
    context: Context, rows: Sequence[HandOver], names: dict[str, str]
) -> list[HandOverOut]:
    """Hand-overs, with `names` by occupancy. One statement."""
    by: dict[UUID, accounts.AccountRow] = await accounts.of_ids(
        {row.created_by for row in rows if row.created_by}
    )
    shown = []
    for row in rows:
        notes = hand_overs.notes_of(context, row)
        shown.append(
            HandOverOut(
                id=row.id,
                house_id=row.house_id,  # type: ignore[attr-defined]
                at=row.at,
                people=[names[id_] for id_ in row.occupancy_ids if id_ in names],
                meter_notes=notes.meters,
                keys=notes.keys,
                remarks=notes.remarks,
                by_id=row.created_by,
                by_name=by[row.created_by].name if row.created_by in by else "",
            )
        )
    return shown
