"""Changing what is known of a person, and destroying it."""

from collections.abc import Mapping
from typing import Any, Final

from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.people import consents, sealing
from business_api.people.consent_texts import Purpose
from business_api.people.consents import Consent
from business_api.people.errors import IdTypeNeeded, PersonErased
from business_api.people.models import ConsentRecord, Person
from business_api.versions import Stale
from foundation.runner import Context

ERASED: Final = "已删除"
"""Instead of the name."""


async def change(
    context: Context,
    actor: Actor,
    person: Person,
    *,
    version: int,
    changes: Mapping[str, Any],
    given: tuple[Consent, ...] = (),
) -> Person:
    """Change name, phone or document of a person.

    Args:
        context: of the process.
        actor: who.
        person: as it was read.
        version: which the change was made on.
        changes: `name`, `phone`, or `id_type` with `id_number`; None takes a phone or a
            document away.
        given: consents that come with it.

    Raises:
        Stale: somebody else changed it.
        PersonErased: nothing is kept of this person any more.
        BadPhone, BadIdNumber, IdTypeNeeded, ConsentNeeded: see `persons.create`.
    """
    async with in_transaction():
        fresh = await Person.filter(id=person.id).select_for_update().get()
        if fresh.erased_at is not None:
            raise PersonErased
        if fresh.version != version:
            raise Stale
        await _apply(context, fresh, changes, given)
        fresh.version += 1
        await fresh.save()
        await auditing.note(
            context,
            actor,
            "person.change",
            f"person/{fresh.id}",
            fresh.site,
            changed=sorted(changes),
        )
    return fresh


async def _apply(
    context: Context, person: Person, changes: Mapping[str, Any], given: tuple[Consent, ...]
) -> None:
    if "name" in changes:
        person.name = changes["name"]
    if "phone" in changes:
        sealing.put_phone(context, person, changes["phone"])
    document = (changes.get("id_type"), changes.get("id_number"))
    if (document[0] is None) != (document[1] is None):
        raise IdTypeNeeded
    await consents.record(context, person, given)
    if "id_type" in changes or "id_number" in changes:
        if document[1] is not None:
            await consents.need(person, Purpose.ID_NUMBER)
        sealing.put_id_number(context, person, *document)


async def erase(context: Context, person: Person) -> bool:
    """Destroy the person's key, and with it everything sealed for it; whether there was one.

    Joins the caller's transaction, which has made sure that nothing needs the person any
    more, and writes the audit. The row stays: records of what was done point at it. That
    somebody had agreed stays too, and tells nothing about whom.
    """
    fresh = await Person.filter(id=person.id).select_for_update().get()
    if fresh.erased_at is not None:
        return False
    sealing.put_phone(context, fresh, None)
    sealing.put_id_number(context, fresh, None, None)
    fresh.name, fresh.data_key, fresh.erased_at = ERASED, None, context.clock()
    # The account stays, and may come back as somebody new.
    fresh.account_id = None
    fresh.version += 1
    await fresh.save()
    await ConsentRecord.filter(person_id=person.id, withdrawn_at=None).update(
        withdrawn_at=fresh.erased_at
    )
    return True
