"""Finding one person for somebody: there, and theirs to do that with; else the same error."""

from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.people.errors import NoSuchConsent, NoSuchPerson
from business_api.people.models import ConsentRecord, Person


async def person(actor: Actor, permission: Permission, person_id: UUID) -> Person:
    """One person. One statement.

    Raises:
        NoSuchPerson: there is none, or none the actor may know of.
        NotAllowed: the actor may not do that with it.
    """
    found = await Person.get_or_none(id=person_id)
    return actor.found(permission, found, NoSuchPerson)


async def consent(actor: Actor, permission: Permission, consent_id: UUID) -> ConsentRecord:
    """One consent, its person loaded. One statement.

    Raises:
        NoSuchConsent, NotAllowed: as in `person`.
    """
    found = await ConsentRecord.get_or_none(id=consent_id).select_related("person")
    if found is None:
        raise NoSuchConsent
    actor.require(permission, found.person.site, NoSuchConsent)
    return found


async def own(actor: Actor, community_id: UUID) -> Person:
    """Who the actor itself is in a community. One statement.

    Raises:
        NoSuchPerson: nobody there.
    """
    found = await Person.get_or_none(account_id=actor.account_id, community_id=community_id)
    if found is None:
        raise NoSuchPerson
    return found


async def own_consent(actor: Actor, consent_id: UUID) -> ConsentRecord:
    """A consent of the actor itself, its person loaded. One statement.

    Raises:
        NoSuchConsent: there is none, or it is somebody else's.
    """
    found = await ConsentRecord.get_or_none(
        id=consent_id, person__account_id=actor.account_id
    ).select_related("person")
    if found is None:
        raise NoSuchConsent
    return found
