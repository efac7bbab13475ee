"""Making an application, and taking it back (F42)."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import phone_accounts
from business_api.accounts.models import Account
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.certification import expiry, find, moving, owners, personal, telling
from business_api.certification.errors import (
    AlreadyApplied,
    AlreadyResident,
    IdNeeded,
    PhoneNeeded,
    TooManyApplications,
)
from business_api.certification.models import Certification, Path
from business_api.certification.personal import Personal
from business_api.certification.states import OPEN, Action, State, step
from business_api.files import attachments
from business_api.organisations.models import CertificationPolicy, Community
from business_api.people import consents, id_numbers, sealing
from business_api.people.consent_texts import Purpose
from business_api.people.consents import Consent
from business_api.people.models import IdType
from business_api.places.errors import NoSuchHouse
from business_api.places.models import House
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import unended
from business_api.tenancy import place
from foundation.ids import new_id
from foundation.runner import Context

DAY: Final = timedelta(days=1)
MOST_A_DAY: Final = 10
"""Applications of an account: nobody looks for an owner who answers by trying houses."""
MOST_OPEN: Final = 5
MOST_A_HOUSE: Final = 3
"""Applications of an account for one house in a day: no means no."""
UNASKED_FOR: Final = timedelta(days=1)
"""How long an application waits for its owner to be chosen."""


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What the applicant says. The phone is that of the account, proved by a code."""

    house_id: UUID
    type: ResidentType
    name: str
    id_type: IdType | None
    id_number: str
    consents: Collection[Consent]
    file_ids: Collection[UUID]


async def apply(context: Context, actor: Actor, new: NewApplication) -> Certification:
    """Apply to live in a house. Who decides follows from the role and the community (C5).

    Not in a transaction: the rest of a code path (`asking.ask`) speaks to the outside.

    Raises:
        NoSuchHouse: there is none with this id.
        PhoneNeeded, IdNeeded, BadIdNumber, ConsentNeeded: something is missing or wrong.
        AlreadyResident, AlreadyApplied, TooManyApplications: see there.
        NoSuchFile: one of the files is not the actor's to hand in.
    """
    house = await House.get_or_none(id=new.house_id).select_related("building", "unit")
    if house is None:
        raise NoSuchHouse
    data = await _personal(context, actor, new)
    await _not_resident(context, actor, house, new.type)
    await expiry.expire(context, Q(house_id=house.id, account_id=actor.account_id))
    await _not_too_many(context, actor, house)
    row = _row(context, actor, house, new, data)
    row.path = await _path(context, house, new.type)
    async with in_transaction():
        await _save(context, actor, row)
        await attachments.attach(
            actor,
            new.file_ids,
            to=f"certification/{row.id}",
            site=row.site,
            view=Permission.CERTIFICATION_REVIEW,
        )
        await telling.submitted(context, row, house)
        await auditing.note(
            context,
            actor,
            "certification.submit",
            f"certification/{row.id}",
            row.site,
            type=row.type,
            path=row.path,
        )
    moving.count(row)
    return row


async def cancel(context: Context, actor: Actor, certification_id: UUID) -> Certification:
    """Take an application back, and with it what was handed in.

    Raises:
        NoSuchCertification, IllegalMove: see there.
    """
    row = await find.own(actor, certification_id)
    async with moving.moving(context, actor, row, Action.CANCEL, **personal.GONE):
        await attachments.detach([f"certification/{row.id}"])
    return row


async def _personal(context: Context, actor: Actor, new: NewApplication) -> Personal:
    account = await Account.get(id=actor.account_id)
    phone = await phone_accounts.proven_phone_of(context, account)
    if phone is None:
        raise PhoneNeeded
    if not new.id_number or new.id_type is None:
        if new.type is ResidentType.OWNER:
            raise IdNeeded
        return Personal(phone)
    consents.need_among(new.consents, Purpose.ID_NUMBER)
    number = id_numbers.check(new.id_type, new.id_number, today=sealing.today(context))
    return Personal(phone, number)


async def _not_resident(context: Context, actor: Actor, house: House, type_: ResidentType) -> None:
    """A member may become something else; an owner is all that one can be."""
    same = Occupancy.filter(house_id=house.id, person__account_id=actor.account_id)
    if await same.filter(unended(context.clock()), type__in=[type_, ResidentType.OWNER]).exists():
        raise AlreadyResident


async def _not_too_many(context: Context, actor: Actor, house: House) -> None:
    since = context.clock() - DAY
    mine = Certification.filter(account_id=actor.account_id)
    if await mine.filter(state__in=list(OPEN)).count() >= MOST_OPEN:
        raise TooManyApplications(retry_after=_seconds(DAY))
    lately = await mine.filter(created_at__gt=since).values_list("house_id", "created_at")
    here = [at for house_id, at in lately if house_id == house.id]
    for times, most in ((here, MOST_A_HOUSE), ([at for _, at in lately], MOST_A_DAY)):
        if len(times) >= most:
            raise TooManyApplications(retry_after=_seconds(sorted(times)[-most] - since))


def _seconds(wait: timedelta) -> int:
    return max(1, math.ceil(wait.total_seconds()))


def _consented(data: Personal) -> str:
    return consents.current(Purpose.ID_NUMBER).version if data.id_number else ""


async def _path(context: Context, house: House, type_: ResidentType) -> Path:
    """Who decides: an owner's application is reviewed, others as the community wants (C5)."""
    if type_ is ResidentType.OWNER:
        return Path.REVIEW
    community = await Community.get(id=house.community_id)
    if community.certification_policy is CertificationPolicy.REVIEW:
        return Path.REVIEW
    return Path.OWNER_CODE if await owners.reachable(context, house.id) else Path.REVIEW


def _row(
    context: Context, actor: Actor, house: House, new: NewApplication, data: Personal
) -> Certification:
    now, id_ = context.clock(), new_id()
    return Certification(
        id=id_,
        house=house,
        building_id=house.building_id,  # type: ignore[attr-defined]
        account_id=actor.account_id,
        type=new.type,
        state=State.SUBMITTED,
        slot=f"{house.id}/{actor.account_id}",
        name=new.name,
        id_type=new.id_type if data.id_number else None,
        consent_version=_consented(data),
        created_at=now,
        updated_at=now,
        **personal.sealed(context, id_, data),
        **place(house.site),
    )


async def _save(context: Context, actor: Actor, row: Certification) -> None:
    """Write the row and its first steps. Joins the caller's transaction."""
    if row.path is Path.OWNER_CODE:
        row.expires_at = row.created_at + UNASKED_FOR
    try:
        await row.save(force_create=True)
    except IntegrityError:
        raise AlreadyApplied from None
    await moving.record(context, actor, row)
    if row.path is Path.REVIEW:
        row.state, row.version = step(row.state, Action.QUEUE), row.version + 1
        await row.save(update_fields=["state", "version"])
        await moving.record(context, auditing.PLATFORM, row, Action.QUEUE)
