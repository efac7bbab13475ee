"""The owner's word: a code to the owner's phone, which the applicant types (BR5).

The code and its tries are kept by `accounts.one_time_codes`; a wrong one counts even when
the request fails, so nothing here runs in a caller's transaction.
"""

import math
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from business_api import auditing
from business_api.accounts import one_time_codes
from business_api.accounts.one_time_codes import (
    CodeExpired,
    CodeLocked,
    CountryNotServed,
    Purpose,
    TooManyCodes,
    WrongCode,
)
from business_api.actors import Actor
from business_api.certification import admitting, applying, find, telling
from business_api.certification import owners as house_owners
from business_api.certification.applying import NewApplication
from business_api.certification.errors import (
    CodesUsedUp,
    NoSuchOwner,
    OwnerAskedEnough,
    OwnerNeeded,
)
from business_api.certification.models import Certification, CertificationEvent, Path
from business_api.certification.moving import moving
from business_api.certification.owners import Owner
from business_api.certification.states import Action, State, step
from business_api.messages import tell
from business_api.places.models import House
from business_api.sms.port import NOT_SENT, SmsUnavailable
from foundation.runner import Context

log = structlog.get_logger()

MOST_CODES: Final = 3
"""For one application."""
PER_OWNER: Final = ((timedelta(hours=1), 3), (timedelta(days=1), 6))
"""Codes to one owner, whoever asks. Below what a phone is sent at all, so that nobody can keep
an owner from signing in by applying for its house."""
_NOT_NOW: Final = (
    *(OwnerNeeded, OwnerAskedEnough, TooManyCodes, CountryNotServed),
    *(SmsUnavailable, *NOT_SENT),
)


async def begin(
    context: Context, actor: Actor, new: NewApplication, *, address: str = ""
) -> Certification:
    """Apply, and ask the owner at once when there is one.

    When that cannot be now, the application waits for `ask`; its state says so.

    Raises:
        See `applying.apply`.
    """
    row = await applying.apply(context, actor, new)
    if row.state is not State.SUBMITTED:
        return row
    try:
        return await ask(context, actor, row.id, address=address)
    except _NOT_NOW as error:
        log.info("certification.owner.not_asked", why=error.code)
    return await find.own(actor, row.id)


async def ask(
    context: Context,
    actor: Actor,
    certification_id: UUID,
    *,
    owner_id: UUID | None = None,
    address: str = "",
) -> Certification:
    """Send an owner a code, or another one. With no owner left, staff review it (C5).

    Args:
        context: of the process.
        actor: the applicant.
        certification_id: its application.
        owner_id: the person to ask; None: the one asked before, or the only one.
        address: where the request comes from, for the limits.

    Raises:
        NoSuchCertification, IllegalMove, NoSuchOwner, OwnerNeeded, CodesUsedUp: see there.
        OwnerAskedEnough, TooManyCodes: the owner, or this phone, has been sent enough for now.
        SmsUnavailable, SmsRefused, SmsFlowControl, NumberRefused: it could not be sent.
    """
    row = await find.own(actor, certification_id)
    step(row.state, Action.ASK)
    if row.codes_sent >= MOST_CODES:
        raise CodesUsedUp
    there = await house_owners.reachable(context, row.house_id)  # type: ignore[attr-defined]
    if not there and row.state is State.SUBMITTED:
        await _to_review(context, row)
        return row
    owner = _chosen(there, owner_id or row.owner_person_id)
    await _not_too_often(context, owner)
    expires_at = await one_time_codes.send(
        context,
        Purpose.CERTIFICATION,
        owner.phone,
        about=_about(row),
        address=address,
        language=owner.language,
    )
    async with moving(
        context,
        actor,
        row,
        Action.ASK,
        owner_person_id=owner.person_id,
        codes_sent=row.codes_sent + 1,
        expires_at=expires_at,
    ):
        return row


async def confirm(
    context: Context, actor: Actor, certification_id: UUID, code: str
) -> Certification:
    """The applicant types the owner's code: if it is right, it lives there from now on.

    Raises:
        NoSuchCertification, IllegalMove: see there.
        WrongCode: with the tries that are left.
        CodeExpired, CodeLocked: the application is over; apply again.
        NoSuchOwner: who was asked owns it no longer; so too.
    """
    row = await find.own(actor, certification_id)
    step(row.state, Action.CONFIRM)
    there = await house_owners.reachable(context, row.house_id)  # type: ignore[attr-defined]
    owner = next((one for one in there if one.person_id == row.owner_person_id), None)
    if owner is None:
        await _over(context, row, Action.EXPIRE)
        raise NoSuchOwner
    try:
        right = await one_time_codes.verify(
            context, Purpose.CERTIFICATION, owner.phone, code, about=_about(row)
        )
    except CodeExpired:
        await _over(context, row, Action.EXPIRE)
        raise
    except CodeLocked:
        await _over(context, row, Action.LOCK)
        raise
    except WrongCode as wrong:
        if wrong.facts["tries_left"] == 0:
            await _over(context, row, Action.LOCK)
        raise
    await admitting.admit(context, actor, row, Action.CONFIRM, code=right)
    return row


def _chosen(there: list[Owner], wanted: UUID | None) -> Owner:
    if wanted is None and len(there) > 1:
        raise OwnerNeeded
    for owner in there:
        if wanted in (None, owner.person_id):
            return owner
    raise NoSuchOwner


async def _not_too_often(context: Context, owner: Owner) -> None:
    """One statement."""
    now = context.clock()
    asked = await CertificationEvent.filter(
        certification__owner_person_id=owner.person_id,
        action=Action.ASK,
        at__gt=now - max(window for window, _ in PER_OWNER),
    )
    for window, most in PER_OWNER:
        lately = sorted(one.at for one in asked if one.at > now - window)
        if len(lately) >= most:
            wait = lately[-most] + window - now
            raise OwnerAskedEnough(retry_after=max(1, math.ceil(wait.total_seconds())))


async def _to_review(context: Context, row: Certification) -> None:
    house_id = row.house_id  # type: ignore[attr-defined]
    house = await House.get(id=house_id).select_related("building", "unit")
    async with moving(
        context, auditing.PLATFORM, row, Action.QUEUE, path=Path.REVIEW, expires_at=None
    ):
        await telling.for_review(context, row, house)
    context.wake.kick(tell.TOPIC)


async def _over(context: Context, row: Certification, action: Action) -> None:
    async with moving(context, auditing.PLATFORM, row, action):
        pass


def _about(row: Certification) -> str:
    return f"certification/{row.id}"
