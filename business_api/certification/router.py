"""房屋认证 for staff: the list, one application, and the decision (F26)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.certification import comparing, find, personal, reading, reviewing
from business_api.certification.errors import NoSuchCertification, OwnMatter
from business_api.certification.models import Certification, Path
from business_api.certification.schemas import (
    ApplicantComparisonOut,
    CertificationDetailOut,
    CertificationOut,
    ReasonIn,
)
from business_api.certification.states import IllegalMove, State
from business_api.deps import Ctx, needs
from business_api.paging import Page, PageQuery
from business_api.people import reveals
from business_api.people.errors import NothingToReveal, TooManyReveals
from business_api.people.schemas import RevealField, RevealIn, RevealOut
from business_api.problems import documents
from business_api.residents.models import ResidentType
from business_api.schemas import Search

router = APIRouter(prefix="/certifications", tags=["certifications"])

Viewer = Annotated[Actor, needs(Permission.CERTIFICATION_VIEW)]
Reviewer = Annotated[Actor, needs(Permission.CERTIFICATION_REVIEW)]
Revoker = Annotated[Actor, needs(Permission.CERTIFICATION_REVOKE)]

_REVIEWING = documents(NoSuchCertification, OwnMatter, IllegalMove)


@router.get("", operation_id="listCertifications")
async def list_certifications(
    context: Ctx,
    actor: Viewer,
    paged: PageQuery,
    *,
    state: State | None = None,
    type_: Annotated[ResidentType | None, Query(alias="type")] = None,
    path: Path | None = None,
    community_id: UUID | None = None,
    building_id: UUID | None = None,
    house_id: UUID | None = None,
    search: Annotated[Search, Query(description="part of the applicant's name")] = "",
) -> Page[CertificationOut]:
    """Applications, the latest first."""
    wanted = {
        "state": state,
        "type": type_,
        "path": path,
        "community_id": community_id,
        "building_id": building_id,
        "house_id": house_id,
    }
    found = Certification.filter(
        actor.within(Permission.CERTIFICATION_VIEW, Certification.SCOPES),
        **{column: value for column, value in wanted.items() if value is not None},
    )
    if search:
        found = found.filter(reading.named(search))
    rows = await found.order_by("-created_at", "-id").offset(paged.offset).limit(paged.size)
    return paged.of(await reading.listed(context, rows), await found.count())


@router.get(
    "/{certification_id}",
    operation_id="getCertification",
    responses=documents(NoSuchCertification),
)
async def get_certification(
    certification_id: UUID, context: Ctx, actor: Viewer
) -> CertificationDetailOut:
    """One application: masked data, what was handed in, every step, what can be done now."""
    row = await find.certification(actor, Permission.CERTIFICATION_VIEW, certification_id)
    return await reading.detail(context, actor, row)


@router.get(
    "/{certification_id}/comparison",
    operation_id="compareCertification",
    responses=documents(NoSuchCertification, OwnMatter, NothingToReveal),
)
async def compare(certification_id: UUID, context: Ctx, actor: Reviewer) -> ApplicantComparisonOut:
    """Whether name, phone and ID number are those of an owner in the house file: yes or no."""
    row = await find.for_review(context, actor, certification_id)
    return await comparing.compare(context, actor, row)


@router.post(
    "/{certification_id}/reveal",
    operation_id="revealCertification",
    responses=documents(NoSuchCertification, OwnMatter, NothingToReveal, TooManyReveals),
)
async def reveal(
    certification_id: UUID, body: RevealIn, context: Ctx, actor: Reviewer
) -> RevealOut:
    """A field in clear, to compare with the papers. The audit keeps who looked, and why.

    Only until the approval: then the person has it (`revealPerson`).
    """
    row = await find.for_review(context, actor, certification_id)
    data = personal.unsealed(context, row)
    clear = data.phone if body.field is RevealField.PHONE else data.id_number
    shown = await reveals.reveal(
        context,
        actor,
        f"certification/{row.id}",
        row.site,
        field=body.field.value,
        reason=body.reason,
        clear=clear or None,
    )
    return RevealOut(value=shown)


@router.post(
    "/{certification_id}/approve", operation_id="approveCertification", responses=_REVIEWING
)
async def approve(certification_id: UUID, context: Ctx, actor: Reviewer) -> CertificationDetailOut:
    """Let the applicant live there: house and doors from this moment on."""
    row = await reviewing.approve(context, actor, certification_id)
    return await reading.detail(context, actor, row)


@router.post("/{certification_id}/reject", operation_id="rejectCertification", responses=_REVIEWING)
async def reject(
    certification_id: UUID, body: ReasonIn, context: Ctx, actor: Reviewer
) -> CertificationDetailOut:
    """Reject it. The applicant reads the reason, and has to apply anew."""
    row = await reviewing.reject(context, actor, certification_id, body.reason)
    return await reading.detail(context, actor, row)


@router.post(
    "/{certification_id}/revoke",
    operation_id="revokeCertification",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchCertification, IllegalMove),
)
async def revoke(certification_id: UUID, body: ReasonIn, context: Ctx, actor: Revoker) -> None:
    """Take the right away again, at once. For staff, and for owners with their household."""
    await reviewing.revoke(context, actor, certification_id, body.reason)
