"""Whether an application says what the house file says of its owners: yes or no, no values."""

from business_api import auditing
from business_api.actors import Actor
from business_api.certification import personal
from business_api.certification.models import Certification
from business_api.certification.schemas import ApplicantComparisonOut, OwnerMatchOut
from business_api.people import sealing
from business_api.people.errors import NothingToReveal
from business_api.people.models import Person
from business_api.residents import reading
from foundation.runner import Context


async def compare(context: Context, actor: Actor, row: Certification) -> ApplicantComparisonOut:
    """`row` against each owner of its house, by blind index. Audited: it is about people.

    Raises:
        NothingToReveal: the application says nothing of its applicant any more.
    """
    if row.data_key is None:
        raise NothingToReveal
    house_id = row.house_id  # type: ignore[attr-defined]
    owners = await reading.verified_owners(house_id, context.clock())
    data = personal.unsealed(context, row)
    phone = sealing.phone_index(context, row.community_id, data.phone) if data.phone else ""
    number = (
        sealing.id_number_index(context, row.community_id, data.id_number) if data.id_number else ""
    )
    await auditing.note(
        context, actor, "certification.compare", f"certification/{row.id}", row.site
    )
    return ApplicantComparisonOut(
        owners=[_match(row.name, phone, number, person) for _, person in owners]
    )


def _match(name: str, phone: str, number: str, person: Person) -> OwnerMatchOut:
    return OwnerMatchOut(
        name=name == person.name,
        phone=_same(phone, person.phone_index),
        id_number=_same(number, person.id_number_index),
    )


def _same(one: str, other: str) -> bool | None:
    return one == other if one and other else None
