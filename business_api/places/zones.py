"""区: an optional level above buildings (C10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.organisations.models import Community
from business_api.places import editing
from business_api.places.models import Zone
from business_api.tenancy import place
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class NewZone:
    """A zone to be."""

    code: str
    name: str


async def create_zone(
    context: Context, actor: Actor | str, community: Community, new: NewZone
) -> Zone:
    """Add a zone.

    Raises:
        CodeTaken: the community has a zone with this code.
    """
    row = Zone(code=new.code, name=new.name, **place(community.site))
    return await editing.make(context, actor, row)


async def change_zone(
    context: Context, actor: Actor | str, row: Zone, changes: Mapping[str, Any], version: int
) -> Zone:
    """Change code or name.

    Raises:
        Stale, CodeTaken: see `editing.change`.
    """
    return await editing.change(context, actor, row, changes, version)


async def listed(
    actor: Actor,
    *,
    community_id: UUID | None = None,
    search: str = "",
    offset: int = 0,
    limit: int = 10,
) -> tuple[Sequence[Zone], int]:
    """Zones by code, and how many; `search` in code and name. Two statements."""
    which = Zone.filter(actor.within(Permission.PLACE_VIEW, Zone.SCOPES))
    if community_id is not None:
        which = which.filter(community_id=community_id)
    if search:
        which = which.filter(Q(code__icontains=search) | Q(name__icontains=search))
    rows = await which.order_by("community_id", "code").offset(offset).limit(limit)
    return rows, await which.count()
