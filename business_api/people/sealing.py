"""A person's sealed fields: written and read with the person's own key."""

from datetime import UTC, date
from uuid import UUID

from business_api import phones, vault
from business_api.people import id_numbers
from business_api.people.errors import PersonErased
from business_api.people.models import IdType, Person
from foundation.runner import Context


def key(context: Context, person: Person) -> bytes:
    """The wrapped key of `person`, made when there is none yet: the caller saves `data_key`.

    Raises:
        PersonErased: it was destroyed.
    """
    if person.erased_at is not None:
        raise PersonErased
    if person.data_key is None:
        person.data_key = vault.new_key(context.keyring, person.id)
    return person.data_key


def seal(context: Context, person: Person, field: str, text: str) -> bytes:
    """`text` for storage; see `key`.

    Raises:
        PersonErased: see `key`.
    """
    return vault.seal(context.keyring, person.id, key(context, person), field, text)


def unseal(context: Context, person: Person, field: str, sealed: bytes | None) -> str | None:
    """What was sealed; None when there was nothing, or its key has been destroyed.

    Raises:
        BadKey: the master key is not the one it was sealed with.
    """
    if sealed is None or person.data_key is None:
        return None
    return vault.unseal(context.keyring, person.id, person.data_key, field, sealed)


def put_phone(context: Context, person: Person, typed: str | None) -> None:
    """Keep a phone number, or none; the caller saves `PHONE`.

    Raises:
        BadPhone: no telephone number has this form.
        PersonErased: see `key`.
    """
    if typed is None:
        person.phone_sealed, person.phone_index = None, ""
        return
    number = phones.normal(typed)
    person.phone_sealed = seal(context, person, "phone", number)
    person.phone_index = phone_index(context, person.community_id, number)


def put_id_number(
    context: Context, person: Person, id_type: IdType | None, typed: str | None
) -> None:
    """Keep a document's kind and number, or none; the caller saves `ID_NUMBER`.

    That the person has agreed is asked elsewhere (`consents.need`).

    Raises:
        BadIdNumber: no document of this kind has this number.
        PersonErased: see `key`.
    """
    if id_type is None or typed is None:
        person.id_type = None  # type: ignore[assignment]
        person.id_number_sealed, person.id_number_index = None, ""
        return
    number = id_numbers.check(id_type, typed, today=today(context))
    person.id_type = id_type
    person.id_number_sealed = seal(context, person, "id_number", number)
    person.id_number_index = id_number_index(context, person.community_id, number)


PHONE = ("data_key", "phone_sealed", "phone_index")
ID_NUMBER = ("data_key", "id_type", "id_number_sealed", "id_number_index")


def phone_index(context: Context, community_id: UUID, number: str) -> str:
    """By which a normalised phone number is found in a community."""
    return vault.blind(context.keyring, "phone", community_id, number)


def id_number_index(context: Context, community_id: UUID, number: str) -> str:
    """By which a checked document's number is found in a community."""
    return vault.blind(context.keyring, "id_number", community_id, number)


def today(context: Context) -> date:
    """By UTC: a child born in China this morning waits until eight o'clock."""
    return context.clock().astimezone(UTC).date()
