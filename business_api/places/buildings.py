"""楼栋 (F22). 单元启用 says whether houses hang on units or on the building itself (BR3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.organisations.models import Community
from business_api.places import editing, hanging
from business_api.places.errors import NoSuchBuilding, NoSuchZone, PlaceInUse
from business_api.places.models import Building, Zone
from business_api.tenancy import place
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class NewBuilding:
    """A building to be; digits are advised for the code ("01"), "1号楼" for the name."""

    code: str
    name: str
    has_units: bool = True
    zone: Zone | None = None


async def create_building(
    context: Context, actor: Actor | str, community: Community, new: NewBuilding
) -> Building:
    """Add a building.

    Raises:
        NoSuchZone: the zone is of another community.
        CodeTaken: the community has a building with this code.
    """
    _check_zone(new.zone, community.id)
    row = Building(
        code=new.code,
        name=new.name,
        has_units=new.has_units,
        zone=new.zone,
        **place(community.site),
    )
    return await editing.make(context, actor, row)


async def change_building(
    context: Context,
    actor: Actor | str,
    row: Building,
    changes: Mapping[str, Any],
    version: int,
) -> Building:
    """Change some of `NewBuilding`'s fields. `row` must have its zone loaded.

    Raises:
        PlaceInUse: 单元启用 cannot be switched while units or houses hang on the building.
        NoSuchZone: the zone is of another community.
        Stale, CodeTaken: see `editing.change`.
    """
    news = dict(changes)
    zone = news.pop("zone", row.zone)
    _check_zone(zone, row.community_id)
    news["zone_id"] = zone.id if zone else None
    async with in_transaction():
        if news.get("has_units", row.has_units) != row.has_units:
            await lock(row.id)
            by = (await hanging.on_buildings([row.id]))[row.id]
            if by := [what for what in by if what in ("units", "houses")]:
                raise PlaceInUse(by=by)
        await editing.change(context, actor, row, news, version)
    row.zone = zone
    return row


async def lock(building_id: UUID) -> Building:
    """The building as it is now, unchanged by others until the transaction ends.

    Raises:
        NoSuchBuilding: it has been deleted.
    """
    found = await Building.filter(id=building_id).select_for_update().first()
    if found is None:
        raise NoSuchBuilding
    return found


async def listed(
    actor: Actor,
    *,
    community_id: UUID | None = None,
    zone_id: UUID | None = None,
    search: str = "",
    offset: int = 0,
    limit: int = 10,
) -> tuple[Sequence[Building], int]:
    """Buildings by code, with their zones, and how many; `search` in code and name.

    Two statements.
    """
    which = Building.filter(actor.within(Permission.PLACE_VIEW, Building.SCOPES))
    if community_id is not None:
        which = which.filter(community_id=community_id)
    if zone_id is not None:
        which = which.filter(zone_id=zone_id)
    if search:
        which = which.filter(Q(code__icontains=search) | Q(name__icontains=search))
    page = which.order_by("community_id", "code").offset(offset).limit(limit)
    return await page.select_related("zone"), await which.count()


def _check_zone(zone: Zone | None, community_id: UUID) -> None:
    if zone is not None and zone.community_id != community_id:
        raise NoSuchZone
