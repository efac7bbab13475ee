"""`/v1/persons`: one person at a time, masked; in clear only with a reason."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.people import editing, find, reveals, sealing
from business_api.people.errors import (
    BadIdNumber,
    ConsentNeeded,
    IdTypeNeeded,
    NoSuchPerson,
    NothingToReveal,
    PersonErased,
    TooManyReveals,
)
from business_api.people.schemas import (
    PersonChangeIn,
    PersonOut,
    RevealField,
    RevealIn,
    RevealOut,
    person_out,
)
from business_api.phones import BadPhone
from business_api.problems import documents
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter(prefix="/persons", tags=["residents"])


@router.get("/{person_id}", operation_id="getPerson", responses=documents(NoSuchPerson))
async def get_person(
    person_id: UUID,
    actor: Annotated[Actor, needs(Permission.RESIDENT_VIEW)],
    context: Ctx,
    response: Response,
) -> PersonOut:
    """A person of a community, for its staff. The ETag is for an edit."""
    found = await find.person(actor, Permission.RESIDENT_VIEW, person_id)
    tag(response, found.version)
    return await person_out(context, found)


@router.patch(
    "/{person_id}",
    operation_id="changePerson",
    responses=documents(
        *(NoSuchPerson, PersonErased, Stale, IfMatchRequired),
        *(BadPhone, BadIdNumber, IdTypeNeeded, ConsentNeeded),
    ),
)
async def change_person(
    person_id: UUID,
    body: PersonChangeIn,
    *,
    actor: Annotated[Actor, needs(Permission.RESIDENT_MANAGE)],
    context: Ctx,
    version: IfMatch,
    response: Response,
) -> PersonOut:
    """Correct a name, a phone or a document."""
    found = await find.person(actor, Permission.RESIDENT_MANAGE, person_id)
    given = tuple(one.consent() for one in body.consents)
    changed = await editing.change(
        context, actor, found, version=version, changes=body.changes(), given=given
    )
    tag(response, changed.version)
    return await person_out(context, changed)


@router.post(
    "/{person_id}/reveal",
    operation_id="revealPerson",
    responses=documents(NoSuchPerson, NothingToReveal, TooManyReveals),
)
async def reveal_person(
    person_id: UUID,
    body: RevealIn,
    actor: Annotated[Actor, needs(Permission.RESIDENT_REVEAL)],
    context: Ctx,
    response: Response,
) -> RevealOut:
    """A phone or a document's number in clear. Who looked, and why, is on record for ever."""
    found = await find.person(actor, Permission.RESIDENT_REVEAL, person_id)
    sealed = found.phone_sealed if body.field is RevealField.PHONE else found.id_number_sealed
    value = await reveals.reveal(
        context,
        actor,
        f"person/{found.id}",
        found.site,
        field=body.field.value,
        reason=body.reason,
        clear=sealing.unseal(context, found, body.field.value, sealed),
    )
    response.headers["Cache-Control"] = "no-store"
    return RevealOut(value=value)
