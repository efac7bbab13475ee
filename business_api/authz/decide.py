"""The one place that decides. No I/O: who asks brings the grants and the place."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from business_api.authz.grants import Grant, Reach
from business_api.authz.permissions import Permission
from business_api.authz.roles import MAY_GIVE, Role
from business_api.authz.scope import ScopeType, Site


class Why(StrEnum):
    """The reason of a decision."""

    GRANTED = "granted"
    EXPIRED = "expired"  # a grant would allow it, but not at this time
    ELSEWHERE = "elsewhere"  # a grant would allow it, but not here
    ROLE = "role"  # no role held allows it


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided. `visible`: the actor may know that the thing exists."""

    why: Why
    visible: bool
    by: Grant | None = None

    @property
    def allowed(self) -> bool:
        """Go on."""
        return self.why is Why.GRANTED


def decide(
    grants: Collection[Grant], permission: Permission, site: Site, now: datetime
) -> Decision:
    """Whether holders of `grants` may `permission` at `site`."""
    covering = [grant for grant in grants if grant.covers(site)]
    visible = any(grant.gives(permission.view) and grant.live(now) for grant in covering)
    giving = [grant for grant in covering if grant.gives(permission)]
    by = next((grant for grant in giving if grant.live(now)), None)
    if by is not None:
        return Decision(Why.GRANTED, True, by)
    if giving:
        return Decision(Why.EXPIRED, visible, giving[0])
    elsewhere = next((grant for grant in grants if grant.gives(permission)), None)
    return Decision(Why.ELSEWHERE if elsewhere else Why.ROLE, visible, elsewhere)


def may_give(grants: Collection[Grant], role: Role, site: Site, now: datetime) -> bool:
    """Whether holders of `grants` may give `role` at `site`, and take it there (BR1)."""
    return bool(_giving(grants, role, site, now))


def given_until(
    grants: Collection[Grant],
    role: Role,
    site: Site,
    now: datetime,
    wanted: datetime | None = None,
) -> datetime | None:
    """When a role ends that holders of `grants` give: as wanted, but not after their own.

    Args:
        grants: of the giver, who `may_give` it.
        role: what.
        site: where.
        now: of the request.
        wanted: the end asked for; None: for good.
    """
    ends = [grant.valid_to for grant in _giving(grants, role, site, now)]
    own = None if None in ends else max(end for end in ends if end is not None)
    return min((end for end in (wanted, own) if end is not None), default=None)


def _giving(grants: Collection[Grant], role: Role, site: Site, now: datetime) -> list[Grant]:
    return [
        grant
        for grant in grants
        if grant.live(now) and grant.covers(site) and role in MAY_GIVE.get(grant.role, ())
    ]


def reach(grants: Collection[Grant], permission: Permission, now: datetime) -> Reach:
    """Everywhere `permission` holds."""
    ids: defaultdict[ScopeType, set[UUID]] = defaultdict(set)
    for grant in grants:
        if not (grant.gives(permission) and grant.live(now)):
            continue
        if grant.scope_type is ScopeType.PLATFORM:
            return Reach(everywhere=True, ids={})
        if grant.scope_id is not None:
            ids[grant.scope_type].add(grant.scope_id)
    return Reach(everywhere=False, ids={level: frozenset(held) for level, held in ids.items()})


def within(where: Reach, columns: Mapping[ScopeType, str]) -> Q:
    """The filter of a list: rows of places in `where`.

    Args:
        where: from `reach`.
        columns: for each level the table has, the column with its id, e.g.
            `{ScopeType.COMMUNITY: "community_id"}`. A grant at a level that the table has
            no column for (a house, on a table of communities) shows nothing.
    """
    if where.everywhere:
        return Q()
    inside: list[dict[str, Any]] = [
        {f"{columns[level]}__in": list(ids)} for level, ids in where.ids.items() if level in columns
    ]
    filters = [Q(**one) for one in inside]
    return Q(*filters, join_type=Q.OR) if filters else Q(id__in=[])
