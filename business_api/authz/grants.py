"""Roles that somebody holds, and where: what every decision is made from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from business_api.authz.permissions import Permission
from business_api.authz.roles import ROLES, Role
from business_api.authz.scope import ScopeType, Site


@dataclass(frozen=True, slots=True)
class Grant:
    """A role held at a scope. From a `RoleGrant` row, or from an occupancy."""

    role: Role
    scope_type: ScopeType
    scope_id: UUID | None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    community_id: UUID | None = None
    """Of a scope below a community."""

    def live(self, now: datetime) -> bool:
        """Whether it holds now (half-open)."""
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_to is None or now < self.valid_to
        )

    def covers(self, site: Site) -> bool:
        """Whether `site` lies inside it."""
        return self.scope_type is ScopeType.PLATFORM or (
            self.scope_id is not None and site.at(self.scope_type) == self.scope_id
        )

    def gives(self, permission: Permission) -> bool:
        """Whether its role allows `permission`."""
        return permission in ROLES[self.role]


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a permission holds for somebody: what a list may show."""

    everywhere: bool
    ids: Mapping[ScopeType, frozenset[UUID]]

    @property
    def nowhere(self) -> bool:
        """Nothing can be seen."""
        return not self.everywhere and not self.ids


def tenants(grants: Collection[Grant], now: datetime) -> frozenset[UUID] | None:
    """The operators, companies and communities in which something is held; None: all."""
    held = [grant for grant in grants if grant.live(now)]
    if any(grant.scope_type is ScopeType.PLATFORM for grant in held):
        return None
    ids = {grant.community_id or grant.scope_id for grant in held}
    return frozenset(id_ for id_ in ids if id_ is not None)
