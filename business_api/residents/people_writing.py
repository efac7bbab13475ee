"""Writing what `people_rows` has decided: persons, consents, occupancies, in whole chunks."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from tortoise.expressions import F
from tortoise.functions import Max

from business_api.imports.kinds import Batch
from business_api.people import consents, sealing
from business_api.people.consent_texts import Purpose
from business_api.people.models import ConsentRecord, Person
from business_api.places.models import House
from business_api.residents import doors, house_states
from business_api.residents.models import Occupancy
from business_api.residents.moves import MOVES, slot
from business_api.residents.people_rows import Plan
from business_api.residents.times import unended
from business_api.tenancy import place


async def apply(batch: Batch, todo: Mapping[int, tuple[House, Plan]]) -> None:
    """Write it. Ten statements at most, and some for each person with an account."""
    plans = [plan for _, plan in todo.values()]
    new = {plan.person.id: plan.person for plan in plans if plan.new}
    if new:
        await Person.bulk_create(new.values())
    changed = {plan.person.id: plan.person for plan in plans if plan.changed and not plan.new}
    for person in changed.values():
        person.version += 1
    if changed:
        columns = {*sealing.PHONE, *sealing.ID_NUMBER, "version"}
        await Person.bulk_update(changed.values(), sorted(columns))
    await _record(batch, {plan.person.id: plan.person for plan in plans if plan.agreed})
    await _move_in(batch, [(house, plan) for house, plan in todo.values() if plan.moves_in])
    for person in {plan.person.id: plan.person for plan in plans}.values():
        await doors.follow_person(batch.context, batch.actor, person)


async def _record(batch: Batch, persons: Mapping[UUID, Person]) -> None:
    """That they agreed to their document's number being kept."""
    if not persons:
        return
    text = consents.current(Purpose.ID_NUMBER)
    held = ConsentRecord.filter(
        person_id__in=list(persons),
        withdrawn_at=None,
        purpose=text.purpose,
        version=text.version,
    )
    there = set(await held.values_list("person_id", flat=True))
    await ConsentRecord.bulk_create(
        ConsentRecord(
            person_id=id_,
            purpose=text.purpose,
            version=text.version,
            granted_at=batch.context.clock(),
        )
        for id_ in persons
        if id_ not in there
    )


async def _move_in(batch: Batch, moves: Sequence[tuple[House, Plan]]) -> None:
    """Write the occupancies; who lives in a vacant house makes it an occupied one."""
    if not moves:
        return
    now = batch.context.clock()
    slots = [slot(house.id, plan.person.id) for house, plan in moves]
    # Run out, and not written down as ended yet (`expiry`).
    await Occupancy.filter(slot__in=slots, valid_to__lte=now).update(
        slot=None, ended_at=F("valid_to"), end_reason="expired"
    )
    ids = sorted({house.id for house, _ in moves})
    last = await (
        Occupancy.filter(unended(now), house_id__in=ids)
        .annotate(last=Max("call_order"))
        .group_by("house_id")
        .values_list("house_id", "last")
    )
    order = dict[UUID, int](last)
    homes = []
    for (house, plan), slot_ in zip(moves, slots, strict=True):
        order[house.id] = order.get(house.id, 0) + 1
        homes.append(
            Occupancy(
                house_id=house.id,
                building_id=house.building_id,  # type: ignore[attr-defined]
                person_id=plan.person.id,
                type=plan.type,
                slot=slot_,
                valid_from=plan.since,
                call_order=order[house.id],
                created_at=now,
                created_by=UUID(batch.actor.removeprefix("account/")),
                **place(house.site),
            )
        )
    await Occupancy.bulk_create(homes)
    await house_states.follow(batch.context, *ids)
    MOVES.labels("in").inc(len(homes))
