"""Consents: recorded by staff for somebody, given and withdrawn by oneself."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, status
from starlette.responses import Response

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, CurrentActor, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.people import consents, find
from business_api.people.consent_texts import TEXTS
from business_api.people.errors import ConsentNeeded, NoSuchConsent, NoSuchPerson, PersonErased
from business_api.people.models import ConsentRecord
from business_api.people.schemas import ConsentIn, ConsentOut, ConsentTextOut, OwnConsentIn
from business_api.problems import documents

router = APIRouter(tags=["consents"])

_ON_GRANT = (NoSuchPerson, PersonErased, ConsentNeeded, KeyReused, RequestInFlight)


@router.get("/consent-texts", operation_id="listConsentTexts")
async def list_consent_texts(_: CurrentActor) -> list[ConsentTextOut]:
    """The texts in use now, one for each purpose."""
    return [
        ConsentTextOut(purpose=purpose, version=text.version, zh=text.zh, en=text.en)
        for purpose, text in TEXTS.items()
    ]


@router.get(
    "/persons/{person_id}/consents",
    operation_id="listConsents",
    responses=documents(NoSuchPerson),
)
async def list_consents(
    person_id: UUID,
    actor: Annotated[Actor, needs(Permission.RESIDENT_VIEW)],
    paged: PageQuery,
) -> Page[ConsentOut]:
    """What a person has agreed to and taken back, newest first."""
    found = await find.person(actor, Permission.RESIDENT_VIEW, person_id)
    which = ConsentRecord.filter(person_id=found.id)
    rows = await which.order_by("-granted_at", "-id").offset(paged.offset).limit(paged.size)
    return paged.of(_out(rows), await which.count())


@router.post(
    "/persons/{person_id}/consents",
    operation_id="recordConsent",
    status_code=status.HTTP_201_CREATED,
    response_model=ConsentOut,
    responses=documents(*_ON_GRANT),
)
async def record_consent(
    person_id: UUID,
    body: ConsentIn,
    actor: Annotated[Actor, needs(Permission.RESIDENT_MANAGE)],
    context: Ctx,
    once: OnceOnly,
) -> Response:
    """The person has signed it on paper."""
    found = await find.person(actor, Permission.RESIDENT_MANAGE, person_id)

    async def act() -> ConsentOut:
        return ConsentOut.model_validate(
            await consents.grant(context, actor, found, body.consent())
        )

    return await once(act)


@router.post(
    "/consents/{consent_id}/withdraw",
    operation_id="withdrawConsent",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchConsent),
)
async def withdraw_consent(
    consent_id: UUID,
    actor: Annotated[Actor, needs(Permission.RESIDENT_MANAGE)],
    context: Ctx,
) -> None:
    """The person takes it back: what was kept because of it is deleted."""
    found = await find.consent(actor, Permission.RESIDENT_MANAGE, consent_id)
    await consents.withdraw(context, actor, found)


@router.get("/me/consents", operation_id="listMyConsents")
async def list_my_consents(actor: CurrentActor, paged: PageQuery) -> Page[ConsentOut]:
    """What the signed-in account has agreed to, in all its communities, newest first."""
    which = ConsentRecord.filter(person__account_id=actor.account_id)
    rows = await which.order_by("-granted_at", "-id").offset(paged.offset).limit(paged.size)
    return paged.of(_out(rows), await which.count())


@router.post(
    "/me/consents",
    operation_id="giveMyConsent",
    status_code=status.HTTP_201_CREATED,
    response_model=ConsentOut,
    responses=documents(*_ON_GRANT),
)
async def give_my_consent(
    body: OwnConsentIn, actor: CurrentActor, context: Ctx, once: OnceOnly
) -> Response:
    """Agree to one of the texts, as a resident of a community."""
    mine = await find.own(actor, body.community_id)

    async def act() -> ConsentOut:
        return ConsentOut.model_validate(await consents.grant(context, actor, mine, body.consent()))

    return await once(act)


@router.post(
    "/me/consents/{consent_id}/withdraw",
    operation_id="withdrawMyConsent",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchConsent),
)
async def withdraw_my_consent(consent_id: UUID, actor: CurrentActor, context: Ctx) -> None:
    """Take a consent back: what was kept because of it is deleted."""
    await consents.withdraw(context, actor, await find.own_consent(actor, consent_id))


def _out(rows: Sequence[ConsentRecord]) -> list[ConsentOut]:
    return [ConsentOut.model_validate(row) for row in rows]
