"""房屋认证 in the app: one's own applications, and those for the house that one owns (F42)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, status
from starlette.responses import Response

from business_api.accounts import one_time_codes
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType
from business_api.certification import applying, asking, errors, find, reading, reviewing
from business_api.certification.applying import NewApplication
from business_api.certification.errors import NoSuchCertification
from business_api.certification.models import Certification
from business_api.certification.schemas import (
    ApplyIn,
    AskIn,
    HouseholdRequestOut,
    MyCertificationDetailOut,
    MyCertificationOut,
    OwnerCodeIn,
    RefuseIn,
)
from business_api.certification.states import IllegalMove, State
from business_api.deps import Ctx, CurrentActor, client_address, needs
from business_api.files.errors import NoSuchFile
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.people.errors import BadIdNumber, ConsentNeeded
from business_api.places.errors import NoSuchHouse
from business_api.problems import documents
from business_api.residents.models import ResidentType
from business_api.sms import port

router = APIRouter(prefix="/me", tags=["certifications"])

Owner = Annotated[Actor, needs(Permission.CERTIFICATION_REVOKE)]


@router.get("/certifications", operation_id="listMyCertifications")
async def list_mine(
    context: Ctx, actor: CurrentActor, paged: PageQuery
) -> Page[MyCertificationOut]:
    """One's own applications, the latest first."""
    found = Certification.filter(account_id=actor.account_id)
    rows = await found.order_by("-created_at", "-id").offset(paged.offset).limit(paged.size)
    return paged.of(await reading.mine(context, rows), await found.count())


@router.post(
    "/certifications",
    operation_id="applyForHouse",
    status_code=status.HTTP_201_CREATED,
    response_model=MyCertificationDetailOut,
    responses=documents(
        *(NoSuchHouse, NoSuchFile, errors.PhoneNeeded, errors.IdNeeded, BadIdNumber),
        *(ConsentNeeded, errors.AlreadyResident, errors.AlreadyApplied),
        *(errors.TooManyApplications, KeyReused, RequestInFlight),
    ),
)
async def apply(
    body: ApplyIn, request: Request, context: Ctx, actor: CurrentActor, once: OnceOnly
) -> Response:
    """Apply to live in a house. An owner is reviewed; others need an owner's code, or review.

    With one owner the code is sent at once: `wait_owner_code`. With several, or when no code
    can be sent now, the state is `submitted`: choose one of `owners` and ask.
    """
    new = NewApplication(
        house_id=body.house_id,
        type=body.type,
        name=body.name,
        id_type=body.id_type,
        id_number=body.id_number,
        consents=[one.consent() for one in body.consents],
        file_ids=body.file_ids,
    )

    async def act() -> MyCertificationDetailOut:
        row = await asking.begin(context, actor, new, address=client_address(request))
        return await reading.my_detail(context, row)

    return await once(act, whole=False)


@router.get(
    "/certifications/{certification_id}",
    operation_id="getMyCertification",
    responses=documents(NoSuchCertification),
)
async def get_mine(
    certification_id: UUID, context: Ctx, actor: CurrentActor
) -> MyCertificationDetailOut:
    """One of one's own applications."""
    return await reading.my_detail(context, await find.own(actor, certification_id))


@router.post(
    "/certifications/{certification_id}/ask",
    operation_id="askOwner",
    responses=documents(
        *(NoSuchCertification, IllegalMove, errors.NoSuchOwner, errors.OwnerNeeded),
        *(errors.CodesUsedUp, errors.OwnerAskedEnough, one_time_codes.TooManyCodes),
        *(one_time_codes.CountryNotServed, port.SmsUnavailable, *port.NOT_SENT),
    ),
)
async def ask(
    certification_id: UUID, request: Request, context: Ctx, actor: CurrentActor, body: AskIn
) -> MyCertificationDetailOut:
    """Send an owner a code, or another one: one a minute, three for an application."""
    row = await asking.ask(
        context, actor, certification_id, owner_id=body.owner_id, address=client_address(request)
    )
    return await reading.my_detail(context, row)


@router.post(
    "/certifications/{certification_id}/confirm",
    operation_id="confirmCertification",
    response_model=MyCertificationDetailOut,
    responses=documents(
        *(NoSuchCertification, IllegalMove, errors.NoSuchOwner, one_time_codes.WrongCode),
        *(one_time_codes.CodeExpired, one_time_codes.CodeLocked, KeyReused, RequestInFlight),
    ),
)
async def confirm(
    certification_id: UUID, body: OwnerCodeIn, context: Ctx, actor: CurrentActor, once: OnceOnly
) -> Response:
    """Type the code that the owner was sent: the house and its doors from this moment on.

    Five tries; then the application is locked, and one has to apply anew.
    """

    async def act() -> MyCertificationDetailOut:
        row = await asking.confirm(context, actor, certification_id, body.code)
        return await reading.my_detail(context, row)

    return await once(act, status=200, whole=False)


@router.post(
    "/certifications/{certification_id}/cancel",
    operation_id="cancelCertification",
    responses=documents(NoSuchCertification, IllegalMove),
)
async def cancel(
    certification_id: UUID, context: Ctx, actor: CurrentActor
) -> MyCertificationDetailOut:
    """Take an application back; what was handed in is deleted."""
    return await reading.my_detail(context, await applying.cancel(context, actor, certification_id))


@router.get("/household-requests", operation_id="listHouseholdRequests")
async def list_requests(
    context: Ctx, actor: Owner, paged: PageQuery, state: State | None = None
) -> Page[HouseholdRequestOut]:
    """Who wants to live in a house that one owns, or was let in that way; the latest first."""
    found = Certification.filter(
        actor.within(Permission.CERTIFICATION_REVOKE, {ScopeType.HOUSE: "house_id"})
    ).exclude(type=ResidentType.OWNER)
    if state is not None:
        found = found.filter(state=state)
    rows = await found.order_by("-created_at", "-id").offset(paged.offset).limit(paged.size)
    return paged.of(await reading.requests(context, rows), await found.count())


@router.post(
    "/household-requests/{certification_id}/refuse",
    operation_id="refuseHouseholdRequest",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchCertification, IllegalMove),
)
async def refuse(certification_id: UUID, body: RefuseIn, context: Ctx, actor: Owner) -> None:
    """Say no to somebody who wants to live there. To send somebody away again: revoke."""
    await reviewing.refuse(context, actor, certification_id, body.reason)
