"""Applications as they are shown: what is not in the row is looked up for a page at once."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tortoise.expressions import Q, Subquery

from business_api import phones
from business_api.accounts import accounts
from business_api.accounts.accounts import AccountRow
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.certification import find, personal
from business_api.certification import owners as house_owners
from business_api.certification.asking import MOST_CODES
from business_api.certification.models import Certification, CertificationEvent, Path
from business_api.certification.schemas import (
    CertificationDetailOut,
    CertificationOut,
    HouseholdRequestOut,
    MyCertificationDetailOut,
    MyCertificationOut,
    OwnerOut,
    StepOut,
)
from business_api.certification.states import Action, allowed
from business_api.files import attachments
from business_api.files.schemas import FileOut
from business_api.files.schemas import shown as file_shown
from business_api.people import id_numbers, persons
from business_api.people.models import Person
from business_api.places import names
from foundation.runner import Context

_ACCOUNT = "account/"


async def mine(context: Context, rows: Sequence[Certification]) -> list[MyCertificationOut]:
    """For their applicant. Five statements."""
    called, whose = await _places(rows), await _whose(context, rows)
    return [MyCertificationOut(**_row(row, called), **whose[row.id]) for row in rows]


async def my_detail(context: Context, row: Certification) -> MyCertificationDetailOut:
    """For its applicant, with the owners that can be asked."""
    askable = row.path is Path.OWNER_CODE and Action.ASK in allowed(row.state)
    house_id: UUID = row.house_id  # type: ignore[attr-defined]
    owners = await house_owners.reachable(context, house_id) if askable else []
    return MyCertificationDetailOut(
        **_row(row, await _places([row])),
        **(await _whose(context, [row]))[row.id],
        owners=[
            OwnerOut(id=one.person_id, name=one.masked_name, phone_ending=one.phone_ending)
            for one in owners
        ],
        asked_owner_id=row.owner_person_id,
        codes_left=max(0, MOST_CODES - row.codes_sent) if askable else 0,
        actions=[one for one in allowed(row.state) if one in _APPLICANTS],
        files=await _files(context, row),
    )


async def requests(context: Context, rows: Sequence[Certification]) -> list[HouseholdRequestOut]:
    """For owners of the houses. Five statements."""
    called, whose = await _places(rows), await _whose(context, rows)
    return [
        HouseholdRequestOut(
            **_row(row, called),
            **whose[row.id],
            actions=[one for one in allowed(row.state) if one in _OWNERS],
        )
        for row in rows
    ]


async def listed(context: Context, rows: Sequence[Certification]) -> list[CertificationOut]:
    """For staff. Six statements."""
    called, whose = await _places(rows), await _whose(context, rows)
    reviewers = await accounts.of_ids({row.reviewed_by for row in rows if row.reviewed_by})
    return [
        CertificationOut(**_row(row, called), **whose[row.id], **_reviewed(row, reviewers))
        for row in rows
    ]


async def detail(context: Context, actor: Actor, row: Certification) -> CertificationDetailOut:
    """For staff, with the history, and for reviewers what was handed in. Nine statements.

    Who has a part in it itself (`find.own_matter`) sees it as who does not review.
    """
    events = await CertificationEvent.filter(certification_id=row.id).order_by("seq")
    ids = {_account(event.actor) for event in events} | {row.reviewed_by}
    people = await accounts.of_ids({one for one in ids if one is not None})

    reviews = actor.may(Permission.CERTIFICATION_REVIEW, row.site) and not await find.own_matter(
        context, actor, row
    )

    def may(permission: Permission | None) -> bool:
        if permission is Permission.CERTIFICATION_REVIEW:
            return reviews
        return permission is not None and actor.may(permission, row.site)

    return CertificationDetailOut(
        **_row(row, await _places([row])),
        **(await _whose(context, [row]))[row.id],
        **_reviewed(row, people),
        person_id=row.person_id,
        occupancy_id=row.occupancy_id,
        actions=[one for one in allowed(row.state) if may(_STAFF.get(one))],
        files=await _files(context, row) if reviews else [],
        steps=[
            StepOut(
                at=event.at,
                action=event.action,
                state=event.state,
                by_name=_name(people, _account(event.actor)),
                reason=event.reason,
            )
            for event in events
        ],
    )


_APPLICANTS = frozenset({Action.ASK, Action.CONFIRM, Action.CANCEL})
_OWNERS = frozenset({Action.REFUSE, Action.REVOKE})
_STAFF = {
    Action.APPROVE: Permission.CERTIFICATION_REVIEW,
    Action.REJECT: Permission.CERTIFICATION_REVIEW,
    Action.REVOKE: Permission.CERTIFICATION_REVOKE,
}


def _row(row: Certification, called: dict[UUID, str]) -> dict[str, Any]:
    """What every form of it shows; each schema takes its own fields."""
    house_id: UUID = row.house_id  # type: ignore[attr-defined]
    return {
        "id": row.id,
        "community_id": row.community_id,
        "community_name": called.get(row.community_id, ""),
        "building_id": row.building_id,
        "house_id": house_id,
        "house_name": called.get(house_id, ""),
        "type": row.type,
        "path": row.path,
        "state": row.state,
        "reason": row.reason,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def named(search: str) -> Q:
    """The filter of those whose applicant's name, or since the approval person's, has it."""
    people = Person.filter(name__icontains=search).values("id")
    return Q(name__icontains=search) | Q(person_id__in=Subquery(people))


def _reviewed(row: Certification, people: Mapping[UUID, AccountRow]) -> dict[str, Any]:
    return {
        "reviewed_by_name": _name(people, row.reviewed_by),
        "reviewed_at": row.reviewed_at,
    }


async def _whose(context: Context, rows: Sequence[Certification]) -> dict[UUID, dict[str, Any]]:
    """Who each is about, phone and ID number masked. One statement.

    The application's own words, or since the approval what is known of the person.
    """
    ids = [row.person_id for row in rows if row.person_id]
    people = {one.id: one for one in await Person.filter(id__in=ids)} if ids else {}
    return {
        row.id: await _of_person(context, people[row.person_id])
        if row.person_id in people
        else _of_row(context, row)
        for row in rows
    }


async def _of_person(context: Context, person: Person) -> dict[str, Any]:
    known = await persons.masked(context, person)
    return {
        "name": known.name,
        "phone": known.phone or "",
        "id_type": known.id_type,
        "id_number": known.id_number or "",
    }


def _of_row(context: Context, row: Certification) -> dict[str, Any]:
    data = personal.unsealed(context, row)
    return {
        "name": row.name,
        "phone": phones.masked(data.phone) if data.phone else "",
        "id_type": row.id_type if data.id_number else None,
        "id_number": id_numbers.masked(data.id_number) if data.id_number else "",
    }


async def _places(rows: Sequence[Certification]) -> dict[UUID, str]:
    """Names of communities and houses. Four statements at most."""
    called = await names.of_places({row.community_id for row in rows})
    return called | await names.of_houses(
        {row.house_id for row in rows}  # type: ignore[attr-defined]
    )


async def _files(context: Context, row: Certification) -> list[FileOut]:
    return [file_shown(context, file) for file in await attachments.of(f"certification/{row.id}")]


def _account(actor: str) -> UUID | None:
    return UUID(actor.removeprefix(_ACCOUNT)) if actor.startswith(_ACCOUNT) else None


def _name(people: Mapping[UUID, AccountRow], account_id: UUID | None) -> str:
    known = people.get(account_id) if account_id else None
    return known.name if known else ""
