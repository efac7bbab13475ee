"""Who is asking, and what they may: the result of authentication."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from tortoise.expressions import Q

from business_api.authz import decide
from business_api.authz.grants import Grant, Reach
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from foundation.errors import DomainError, Kind


class HasSite(Protocol):
    """A row that knows where it is in the tenant tree."""

    @property
    def site(self) -> Site:
        """For decisions."""
        ...


Sited = TypeVar("Sited", bound=HasSite)


class NotAllowed(DomainError):
    """The actor may know of the thing, but not do this with it."""

    kind, code, title = Kind.FORBIDDEN, "not-allowed", "This account may not do that"
    title_zh = "没有权限"


class NotFound(DomainError):
    """No such thing, or none the actor may know of; the two look alike from outside."""

    kind, code, title = Kind.NOT_FOUND, "not-found", "There is no such thing here"
    title_zh = "找不到该内容"


class Duty(StrEnum):
    """What somebody has to do before anything else."""

    CHANGE_PASSWORD = "change_password"  # noqa: S105  (the present one is somebody else's)
    SET_UP_SECOND_FACTOR = "set_up_second_factor"


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in account. Its scope comes from here, never from a path or a body.

    `grants` are all it holds; which of them are live is asked at `now`, the time of the
    request.
    """

    account_id: UUID
    session_id: UUID
    name: str
    now: datetime
    grants: tuple[Grant, ...] = field(default=())
    duties: frozenset[Duty] = frozenset()

    @property
    def audit(self) -> str:
        """The actor as the audit chain names it."""
        return f"account/{self.account_id}"

    def may(self, permission: Permission, site: Site) -> bool:
        """Whether it may do that there."""
        return decide.decide(self.grants, permission, site, self.now).allowed

    def require(
        self, permission: Permission, site: Site, missing: type[DomainError] = NotFound
    ) -> Grant:
        """The grant that allows it.

        Args:
            permission: what is to be done.
            site: where the thing is.
            missing: raised when the actor may not know of the thing: the same error as when
                there is none, or the difference would tell.

        Raises:
            NotAllowed: it may see the thing, and may not do this.
        """
        decision = decide.decide(self.grants, permission, site, self.now)
        if decision.allowed and decision.by is not None:
            return decision.by
        if decision.visible:
            raise NotAllowed(permission.value)
        raise missing

    def found(self, permission: Permission, row: Sited | None, missing: type[DomainError]) -> Sited:
        """A thing that was looked up, if it is there and the actor may do that with it.

        Raises:
            DomainError: `missing`, when there is none or the actor may not know of it.
            NotAllowed: it may see the thing, and may not do this.
        """
        if row is None:
            raise missing
        self.require(permission, row.site, missing)
        return row

    def reach(self, permission: Permission) -> Reach:
        """Everywhere it may do that."""
        return decide.reach(self.grants, permission, self.now)

    def within(self, permission: Permission, columns: Mapping[ScopeType, str]) -> Q:
        """The filter of a list; see `authz.decide.within`."""
        return decide.within(self.reach(permission), columns)
