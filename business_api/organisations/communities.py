"""小区, made by its property company (F14). The name is free text (C11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.organisations import editing, regions
from business_api.organisations.coordinates import Point
from business_api.organisations.errors import BadRegion
from business_api.organisations.models import CertificationPolicy, Community, PropertyCompany
from business_api.organisations.searching import called
from foundation.runner import Context

_DEGREE = Decimal("0.000001")
"""As fine as a column holds: 11 cm."""


@dataclass(frozen=True, slots=True)
class NewCommunity:
    """A community to be. `phone` as it was typed, `point` on WGS-84."""

    name: str
    region_code: str = ""
    address: str = ""
    contact: str = ""
    phone: str = ""
    point: Point | None = None
    certification_policy: CertificationPolicy = CertificationPolicy.OWNER_CODE


async def create_community(
    context: Context, actor: Actor | str, company: PropertyCompany, new: NewCommunity
) -> Community:
    """Add a community to a company.

    Raises:
        NameTaken: the company has one of this name.
        BadRegion: the region is none, or not a district.
        BadPhone: the phone is none.
    """
    row = Community(
        operator_id=company.operator_id,
        company_id=company.id,
        name=new.name,
        region_code=_district(new.region_code),
        address=new.address,
        contact=new.contact,
        phone=editing.phone(new.phone),
        certification_policy=new.certification_policy,
        **_columns(new.point),
    )
    return await editing.make(context, actor, row)


async def change_community(
    context: Context, actor: Actor, row: Community, changes: Mapping[str, Any], version: int
) -> Community:
    """Change some of `NewCommunity`'s fields, if the row is still at `version`.

    Raises:
        Stale, NameTaken, BadRegion, BadPhone: as in `create_community`, and see `editing`.
    """
    news = editing.with_phone(changes)
    if "region_code" in news:
        news["region_code"] = _district(news["region_code"])
    if "point" in news:
        news |= _columns(news.pop("point"))
    return await editing.change(context, actor, row, news, version)


async def listed(
    actor: Actor,
    *,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    region_code: str = "",
    search: str = "",
    offset: int = 0,
    limit: int = 10,
) -> tuple[Sequence[Community], int]:
    """Communities by name, and how many. Two statements."""
    which = Community.filter(
        actor.within(Permission.COMMUNITY_VIEW, Community.SCOPES),
        called(search),
        inside(region_code),
    )
    if operator_id is not None:
        which = which.filter(operator_id=operator_id)
    if company_id is not None:
        which = which.filter(company_id=company_id)
    return await which.order_by("name", "id").offset(offset).limit(limit), await which.count()


async def directory(
    *, region_code: str = "", search: str = "", offset: int = 0, limit: int = 10
) -> tuple[Sequence[Community], int]:
    """Every community, for a resident who looks for its own (F41). Two statements."""
    named = Q(name__icontains=search) | Q(address__icontains=search) if search else Q()
    which = Community.filter(named, inside(region_code))
    return await which.order_by("name", "id").offset(offset).limit(limit), await which.count()


async def companies_of(rows: Sequence[Community]) -> dict[UUID, str]:
    """What the companies of communities are called, by their id. One statement."""
    ids = {row.company_id for row in rows}
    found = await PropertyCompany.filter(id__in=list(ids)) if ids else []
    return {company.id: company.name for company in found}


def inside(region_code: str) -> Q:
    """Communities in a province, city or district; with an empty code, all."""
    if not region_code:
        return Q()
    # An unknown code is in no region: it finds nothing but what is stored under it.
    return Q(region_code__startswith=regions.prefix(region_code))


def _district(code: str) -> str:
    """`code`, if communities can lie there; empty: not said.

    Raises:
        BadRegion: see there.
    """
    if not code:
        return ""
    found = regions.region(code)
    if found is None or not found.leaf:
        raise BadRegion(code)
    return code


def _columns(point: Point | None) -> dict[str, Decimal | None]:
    if point is None:
        return {"lat": None, "lng": None}
    return {
        "lat": Decimal(repr(point.lat)).quantize(_DEGREE),
        "lng": Decimal(repr(point.lng)).quantize(_DEGREE),
    }
