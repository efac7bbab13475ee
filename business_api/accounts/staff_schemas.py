"""Accounts of staff and their roles, as the API shows them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType
from business_api.schemas import In, Name, Out, Password, Username

Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)]


class RoleAt(In):
    """A role, and the one place at which it is held; without any place: the platform."""

    role: Role
    operator_id: UUID | None = None
    company_id: UUID | None = None
    community_id: UUID | None = None
    building_id: UUID | None = None

    @property
    def ids(self) -> dict[str, UUID | None]:
        """The place."""
        return self.model_dump(include={"operator_id", "company_id", "community_id", "building_id"})


class StaffIn(RoleAt):
    """A new account. Without `password` one is made up, and answered once.

    Either way it has to be changed at the first sign-in.
    """

    username: Username
    name: Name
    password: Password | None = None
    phone: Phone | None = None


class GrantIn(RoleAt):
    """A role to give, perhaps for a time only (half-open)."""

    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None


class GrantOut(Out):
    """A role that somebody holds; `live`: at this moment; `may_take`: by the one who asks."""

    id: UUID
    role: Role
    scope_type: ScopeType
    scope_id: UUID | None
    scope_name: str
    valid_from: datetime | None
    valid_to: datetime | None
    granted_by: UUID | None
    live: bool
    may_take: bool


class StaffOut(Out):
    """An account of staff. `phone` is masked; `grants` are those within the reader's reach.

    `may_manage`: whether the one who asks may edit it, set its password, disable it.
    """

    id: UUID
    username: str | None
    name: str
    phone: str | None
    disabled_at: datetime | None
    must_change_password: bool
    second_factor: bool
    created_at: datetime
    version: int
    may_manage: bool
    grants: list[GrantOut]


class NewStaffOut(StaffOut):
    """An account just made. `password`: the one made up, shown this once; else null."""

    password: str | None


class StaffEdit(In):
    """What is to change; what is absent stays. An empty `phone` takes the number away."""

    name: Name | None = None
    phone: Phone | None = None


class ResetIn(In):
    """The password to set; absent: one is made up. It has to be changed at the next sign-in."""

    password: Password | None = None


class ResetOut(Out):
    """`password`: the one made up, shown this once; null when it was given."""

    password: str | None
