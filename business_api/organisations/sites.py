"""Where communities are in the tenant tree, for rows that hold only the community's id.

The stations, openings and commands of the registry know their community and nothing above
it. A community never changes its company, nor a company its operator, so that what was
found once stays true.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final
from uuid import UUID

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from business_api.organisations.models import Community

_REMEMBERED: Final = 10_000

_known: OrderedDict[UUID, Site] = OrderedDict()
"""By community, the latest used last."""


async def site_of(community_id: UUID) -> Site | None:
    """The place of a community; None when there is no such community.

    One statement the first time, then none.
    """
    found = _known.get(community_id)
    if found is not None:
        _known.move_to_end(community_id)
        return found
    community = await Community.get_or_none(id=community_id)
    if community is None:
        return None
    _known[community_id] = community.site
    if len(_known) > _REMEMBERED:
        _known.popitem(last=False)
    return community.site


async def reached(
    actor: Actor, permission: Permission, community_id: UUID | None = None
) -> frozenset[UUID] | None:
    """The communities in which the actor may do that: what a list may show.

    A role at one building or house is not one in its community. One statement for an actor
    with a role above communities, else none.

    Args:
        actor: who asks.
        permission: what for.
        community_id: only this one, if it is among them.

    Returns:
        None for every community there is, now and later: a role on the platform itself.
    """
    if community_id is not None:
        site = await site_of(community_id)
        allowed = site is not None and actor.may(permission, site)
        return frozenset({community_id} if allowed else ())
    where = actor.reach(permission)
    if where.everywhere:
        return None
    direct = where.ids.get(ScopeType.COMMUNITY, frozenset())
    if not where.ids.keys() & {ScopeType.OPERATOR, ScopeType.COMPANY}:
        return direct
    inside = Community.filter(actor.within(permission, Community.SCOPES))
    return frozenset(await inside.values_list("id", flat=True))  # type: ignore[arg-type]


async def above(communities: Collection[UUID]) -> Site:
    """The smallest part of the tree that holds all of these communities. One statement."""
    rows = await Community.filter(id__in=list(communities)).values_list(
        "operator_id", "company_id", "id"
    )
    levels = [
        ids.pop() if len(ids := set(level)) == 1 else None for level in zip(*rows, strict=True)
    ]
    return Site(*levels)
