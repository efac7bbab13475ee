"""What an approval does: the applicant becomes a resident, in the same transaction."""

from typing import Any

from business_api.accounts import one_time_codes, sessions
from business_api.accounts.models import Account, OneTimeCode
from business_api.actors import Actor
from business_api.certification import ending, expiry, personal, telling
from business_api.certification.models import Certification
from business_api.certification.moving import moved_on, moving
from business_api.certification.states import Action
from business_api.messages import tell
from business_api.people import consents, persons
from business_api.people.consent_texts import Purpose
from business_api.people.models import Person
from business_api.people.persons import NewPerson
from business_api.places.models import House
from business_api.residents import moves
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import unended
from foundation.runner import Context


async def admit(
    context: Context,
    actor: Actor | str,
    row: Certification,
    action: Action,
    *,
    code: OneTimeCode | None = None,
    **changes: Any,
) -> None:
    """Approve `row`: find or register the person, and let it move in.

    Whom staff have registered already, without an account, is taken over and not doubled.

    Args:
        context: of the process.
        actor: who: a reviewer, or the applicant with the owner's code.
        row: as it was read.
        action: `APPROVE` or `CONFIRM`.
        code: the owner's, to be used up by it.
        changes: other columns to set.

    Raises:
        IllegalMove: somebody else decided first, or the applicant has deleted its account.
        CodeExpired: the code was used meanwhile.
    """
    if not await Account.filter(id=row.account_id, deleted_at=None).exists():
        await expiry.abandon(context)
        await moved_on(row, action)
    house = await House.get(id=row.house_id).select_related("building", "unit")  # type: ignore[attr-defined]
    new = _person(context, row)
    async with moving(context, actor, row, action, expires_at=None, **changes):
        if code is not None:
            await one_time_codes.use(context, code)
        person = await persons.find_or_create(
            context, actor, row.site, new, account_id=row.account_id
        )
        occupancy = await _move_in(context, actor, house, person, row.type)
        await telling.admitted(context, row, house)
        row.update_from_dict(
            {"person_id": person.id, "occupancy_id": occupancy.id, **personal.GONE}
        )
        await row.save(update_fields=["person_id", "occupancy_id", *personal.GONE])
        await ending.supersede(context, actor, row)
    context.wake.kick(sessions.TOPIC)
    context.wake.kick(tell.TOPIC)


def _person(context: Context, row: Certification) -> NewPerson:
    """What the application says of its applicant.

    The ID number goes along if the applicant agreed to the text that is in use now.
    """
    data = personal.unsealed(context, row)
    phone = data.phone or None
    agreed = consents.current(Purpose.ID_NUMBER)
    if not data.id_number or row.consent_version != agreed.version:
        return NewPerson(row.name, phone)
    return NewPerson(row.name, phone, row.id_type, data.id_number, (agreed,))


async def _move_in(
    context: Context, actor: Actor | str, house: House, person: Person, type_: ResidentType
) -> Occupancy:
    """Who lives there already keeps the times, and is an owner for good."""
    there = await Occupancy.get_or_none(
        unended(context.clock()), slot=moves.slot(house.id, person.id)
    )
    if there is None:
        return await moves.move_in(context, actor, house, person, type_)
    if there.type is ResidentType.OWNER:
        type_ = ResidentType.OWNER
    until = there.valid_to if type_ in (there.type, ResidentType.VISITOR) else None
    return await moves.move_in(
        context,
        actor,
        house,
        person,
        type_,
        valid_from=there.valid_from,
        valid_to=until,
        renew=True,
    )
