"""Consents: given before sensitive data are kept, taken back at any time."""

from collections.abc import Collection
from dataclasses import dataclass

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.people import sealing
from business_api.people.consent_texts import TEXTS, Purpose
from business_api.people.errors import ConsentNeeded, PersonErased
from business_api.people.models import ConsentRecord, Person
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody agreed to the text of this version, in the app or on paper."""

    purpose: Purpose
    version: str


def current(purpose: Purpose) -> Consent:
    """The consent to the text that is in use now."""
    return Consent(purpose, TEXTS[purpose].version)


def need_among(given: Collection[Consent], purpose: Purpose) -> None:
    """Ask for a consent among those that come with the data.

    Raises:
        ConsentNeeded: none, or one to a text that is not in use any more.
    """
    if current(purpose) not in given:
        raise ConsentNeeded(purpose=purpose.value, version=TEXTS[purpose].version)


async def need(person: Person, purpose: Purpose, given: Collection[Consent] = ()) -> None:
    """Ask for a consent that comes with the data, or is on record. One statement at most.

    Raises:
        ConsentNeeded: there is none.
    """
    wanted = current(purpose)
    if wanted in given:
        return
    held = ConsentRecord.filter(person=person, withdrawn_at=None)
    if not await held.filter(purpose=purpose, version=wanted.version).exists():
        raise ConsentNeeded(purpose=purpose.value, version=wanted.version)


async def record(context: Context, person: Person, given: Collection[Consent]) -> None:
    """Write down consents; those on record stay as they are. Two statements at most.

    Raises:
        ConsentNeeded: the text is not the one in use now.
    """
    if not given:
        return
    for one in given:
        need_among((one,), one.purpose)
    held = await ConsentRecord.filter(person=person, withdrawn_at=None).values_list(
        "purpose", "version"
    )
    now = context.clock()
    await ConsentRecord.bulk_create(
        [
            ConsentRecord(person=person, purpose=one.purpose, version=one.version, granted_at=now)
            for one in set(given)
            if (one.purpose.value, one.version) not in held
        ]
    )


async def grant(context: Context, actor: Actor, person: Person, given: Consent) -> ConsentRecord:
    """Write down that the person agrees, and who says so. What is in force stays as it is.

    Raises:
        ConsentNeeded: the text is not the one in use now.
        PersonErased: nothing is kept of this person.
    """
    async with in_transaction():
        known = await Person.filter(id=person.id, erased_at=None).select_for_update().first()
        if known is None:
            raise PersonErased
        await record(context, known, (given,))
        await auditing.note(
            context,
            actor,
            "consent.grant",
            f"person/{person.id}",
            person.site,
            purpose=given.purpose.value,
            version=given.version,
        )
    return await ConsentRecord.get(
        person_id=person.id, withdrawn_at=None, purpose=given.purpose, version=given.version
    )


async def withdraw(context: Context, actor: Actor, consent: ConsentRecord) -> None:
    """Take a consent back: what was kept because of it is deleted in the same transaction.

    The second time nothing happens. `consent.person` must be loaded.
    """
    async with in_transaction():
        person = await Person.filter(id=consent.person.id).select_for_update().get()
        live = ConsentRecord.filter(id=consent.id, withdrawn_at=None)
        if not await live.update(withdrawn_at=context.clock()):
            return
        others = ConsentRecord.filter(person=person, purpose=consent.purpose, withdrawn_at=None)
        if consent.purpose == Purpose.ID_NUMBER and not await others.exists():
            sealing.put_id_number(context, person, None, None)
            person.version += 1
            await person.save(update_fields=[*sealing.ID_NUMBER, "version"])
        await auditing.note(
            context,
            actor,
            "consent.withdraw",
            f"person/{person.id}",
            person.site,
            purpose=consent.purpose,
            version=consent.version,
        )
