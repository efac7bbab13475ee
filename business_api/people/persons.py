"""Persons as one community knows them: made, found again, shown masked.

Nothing here writes to the audit: a person comes in by an act that does (a move-in, a
certification), and whose line must be the last of its transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api import phones
from business_api.actors import Actor
from business_api.authz.scope import Site
from business_api.people import consents, id_numbers, sealing
from business_api.people.consent_texts import Purpose
from business_api.people.consents import Consent
from business_api.people.errors import IdTypeNeeded
from business_api.people.models import IdType, Person
from business_api.tenancy import place
from device_registry.access import grants
from foundation import sql
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody to be known. Phone and number as typed; a number needs a kind and a consent."""

    name: str
    phone: str | None = field(default=None, repr=False)
    id_type: IdType | None = None
    id_number: str | None = field(default=None, repr=False)
    consents: Collection[Consent] = ()


@dataclass(frozen=True, slots=True)
class MaskedPerson:
    """A person for eyes that need not know more: 138****8000, 4403**********1234."""

    name: str
    phone: str | None
    id_type: IdType | None
    id_number: str | None


async def create(
    context: Context,
    actor: Actor | str,
    site: Site,
    new: NewPerson,
    account_id: UUID | None = None,
) -> Person:
    """Write down a person of the community at `site`. Two statements at most.

    Raises:
        BadPhone, BadIdNumber, IdTypeNeeded: what was typed cannot be.
        ConsentNeeded: a document's number without the consent to keep it.
    """
    person = Person(
        account_id=account_id,
        name=new.name,
        created_at=context.clock(),
        created_by=actor.account_id if isinstance(actor, Actor) else None,
        **place(site),
    )
    _fill(context, person, new)
    async with in_transaction():
        await person.save(force_create=True)
        await consents.record(context, person, new.consents)
    return person


async def find_or_create(
    context: Context,
    actor: Actor | str,
    site: Site,
    new: NewPerson,
    account_id: UUID | None = None,
) -> Person:
    """The person meant by `new`, known already or new. Joins the caller's transaction.

    It is the one with this account in this community; else one with the same phone and the
    same name, and no other document. What was not known of it is added; what was known stays
    as it was.

    An account takes such a person over, with all its homes, if it has not got one and has had
    none: a number goes on to somebody else. Whose document is known is taken over with the
    same document only. The phone has to be proved by then.

    The doors of a person that has just got its account open with the next `move_in`, for
    all its homes (`residents.doors.follow_person`).

    Raises:
        BadPhone, BadIdNumber, IdTypeNeeded, ConsentNeeded: see `create`.
    """
    probe = Person(name=new.name, **place(site))
    _fill(context, probe, new)  # what cannot be is refused before anything waits
    async with in_transaction():
        await _lock(site, probe, account_id)
        known = await _known(site, probe, account_id)
        if known is None:
            return await create(context, actor, site, new, account_id)
        await _complete(context, known, new, account_id)
    return known


async def phone_of(context: Context, person: Person) -> str | None:
    """The phone number in E.164: for calling and sending, never for showing."""
    return sealing.unseal(context, person, "phone", person.phone_sealed)


async def masked(context: Context, person: Person) -> MaskedPerson:
    """The person as lists show it. About 20 µs, no statement."""
    phone = await phone_of(context, person)
    number = sealing.unseal(context, person, "id_number", person.id_number_sealed)
    return MaskedPerson(
        person.name,
        phones.masked(phone) if phone else None,
        person.id_type,
        id_numbers.masked(number) if number else None,
    )


def _fill(context: Context, person: Person, new: NewPerson) -> None:
    if (new.id_type is None) != (new.id_number is None):
        raise IdTypeNeeded
    sealing.key(context, person)
    sealing.put_phone(context, person, new.phone)
    if new.id_number is not None:
        consents.need_among(new.consents, Purpose.ID_NUMBER)
        sealing.put_id_number(context, person, new.id_type, new.id_number)


async def _lock(site: Site, probe: Person, account_id: UUID | None) -> None:
    """Be the only one who looks for this person; and, first of all, changes its rights.

    Whoever is found is moved in next, which takes the lock of its account: everybody takes
    that one before any of a person (`residents.doors.lock`).
    """
    same = Person.filter(community_id=site.community_id, phone_index=probe.phone_index)
    there = await same.values_list("account_id", flat=True) if probe.phone_index else []
    await grants.lock(*({*there, account_id} - {None}))  # type: ignore[arg-type]
    keys = {str(key) for key in (account_id, probe.phone_index) if key}
    if keys:
        await sql.serialise(*sorted(f"person/{site.community_id}/{key}" for key in keys))


async def _known(site: Site, probe: Person, account_id: UUID | None) -> Person | None:
    here = Person.filter(community_id=site.community_id, erased_at=None)
    if account_id is not None:
        by_account = await here.filter(account_id=account_id).select_for_update().first()
        if by_account is not None:
            return by_account
    if not probe.phone_index:
        return None
    same = here.filter(phone_index=probe.phone_index, name=probe.name)
    if account_id is not None:
        same = same.filter(account_id=None, parted_at=None)
    if account_id is not None or probe.id_number_index:
        same = same.filter(Q(id_number_index="") | Q(id_number_index=probe.id_number_index))
    found: Person | None = await same.order_by("created_at", "id").select_for_update().first()
    return found


async def _complete(
    context: Context, person: Person, new: NewPerson, account_id: UUID | None
) -> None:
    """Add to a known person what was not known of it."""
    changed: list[str] = []
    if person.account_id is None and account_id is not None:
        person.account_id = account_id
        changed.append("account_id")
    if not person.phone_index and new.phone is not None:
        sealing.put_phone(context, person, new.phone)
        changed += sealing.PHONE
    if not person.id_number_index and new.id_number is not None:
        sealing.put_id_number(context, person, new.id_type, new.id_number)
        changed += sealing.ID_NUMBER
    await consents.record(context, person, new.consents)
    if changed:
        person.version += 1
        await person.save(update_fields=list({*changed, "version"}))
