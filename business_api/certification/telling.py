"""Who is told what about an application; each in the transaction of what happened.

Kick `messages.tell.TOPIC` after COMMIT.
"""

from typing import Final
from uuid import UUID

from tortoise.expressions import Q

from business_api.accounts.models import RoleGrant
from business_api.authz.permissions import Permission
from business_api.authz.roles import ROLES
from business_api.certification.models import Certification, Path
from business_api.messages.tell import tell
from business_api.places import names
from business_api.places.models import House
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import Standing, with_standing
from foundation.runner import Context

_REVIEWERS: Final = [
    role for role, permissions in ROLES.items() if Permission.CERTIFICATION_REVIEW in permissions
]


async def submitted(context: Context, row: Certification, house: House) -> None:
    """Owners learn that somebody wants to live with them, reviewers that they have work."""
    if row.type is not ResidentType.OWNER:
        owners = await _at_home(context, house.id, ResidentType.OWNER)
        await _tell(context, "certification.asked", row, owners, house, name=row.name)
    if row.path is Path.REVIEW:
        await for_review(context, row, house)


async def for_review(context: Context, row: Certification, house: House) -> None:
    """Reviewers learn that an application waits for them."""
    reviewers = await _reviewers(context, row)
    await _tell(context, "certification.submitted", row, reviewers, house, name=row.name)


async def admitted(context: Context, row: Certification, house: House) -> None:
    """The applicant may come in, and the household learns who does."""
    household = await _at_home(context, house.id) - {row.account_id}
    await _tell(context, "certification.approved", row, {row.account_id}, house)
    await _tell(context, "certification.joined", row, household, house, name=row.name)


async def rejected(context: Context, row: Certification) -> None:
    """The applicant learns why."""
    house = await _house(row)
    to = {row.account_id}
    await _tell(context, "certification.rejected", row, to, house, reason=row.reason)


async def refused(context: Context, row: Certification) -> None:
    """The applicant learns that the owner said no."""
    await _tell(context, "certification.refused", row, {row.account_id}, await _house(row))


async def revoked(context: Context, row: Certification) -> None:
    """Who lived there learns that it does no longer, and why."""
    house = await _house(row)
    to = {row.account_id}
    await _tell(context, "certification.revoked", row, to, house, reason=row.reason)


async def _tell(
    context: Context, kind: str, row: Certification, to: set[UUID], house: House, **words: str
) -> None:
    params = {"house": names.house_name(house), "certification_id": str(row.id), **words}
    await tell(context, kind, str(row.id), to, params)


async def _house(row: Certification) -> House:
    return await House.get(id=row.house_id).select_related("building", "unit")  # type: ignore[attr-defined]


async def _at_home(
    context: Context, house_id: UUID, type_: ResidentType | None = None
) -> set[UUID]:
    """The accounts of those who live there now. One statement."""
    live = Occupancy.filter(
        with_standing(Standing.LIVE, context.clock()),
        house_id=house_id,
        person__account_id__not_isnull=True,
    )
    if type_ is not None:
        live = live.filter(type=type_)
    return set(await live.values_list("person__account_id", flat=True))  # type: ignore[arg-type]


async def _reviewers(context: Context, row: Certification) -> set[UUID]:
    """The accounts that review for this house. One statement."""
    now = context.clock()
    live = RoleGrant.filter(
        Q(valid_from=None) | Q(valid_from__lte=now),
        Q(valid_to=None) | Q(valid_to__gt=now),
        role__in=_REVIEWERS,
        scope_id__in=[row.community_id, row.building_id],
        account__disabled_at=None,
    )
    return set(await live.values_list("account_id", flat=True))  # type: ignore[arg-type]
