"""Finding a person by an exact phone or document, without reading any other's."""

from typing import Final
from uuid import UUID

from tortoise.queryset import QuerySet

from business_api import phones
from business_api.people import id_numbers, sealing
from business_api.people.errors import IdTypeNeeded
from business_api.people.models import IdType, Person
from foundation.runner import Context

MOST_HOMES: Final = 500
"""In one answer, newest first: an agent's phone may stand at many flats."""


def by_phone(context: Context, community_id: UUID, typed: str) -> QuerySet[Person]:
    """Everybody of the community with this number.

    Raises:
        BadPhone: no telephone number has this form.
    """
    index = sealing.phone_index(context, community_id, phones.normal(typed))
    return Person.filter(community_id=community_id, phone_index=index)


def by_document(
    context: Context, community_id: UUID, id_type: IdType | None, typed: str | None
) -> QuerySet[Person]:
    """Everybody of the community with this document; entered twice, it is several.

    Raises:
        BadIdNumber: no document of this kind has this number.
        IdTypeNeeded: one without the other.
    """
    if id_type is None or typed is None:
        raise IdTypeNeeded
    number = id_numbers.check(id_type, typed)
    index = sealing.id_number_index(context, community_id, number)
    return Person.filter(community_id=community_id, id_type=id_type, id_number_index=index)
