"""Rights, as the API shows them."""

from datetime import datetime
from uuid import UUID

from business_api.authz.decide import Why
from business_api.authz.permissions import Permission
from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType
from business_api.schemas import Out


class RoleAtOut(Out):
    """A role and where it is held; `scope_name` is empty for the platform."""

    role: Role
    scope_type: ScopeType
    scope_id: UUID | None
    scope_name: str
    valid_from: datetime | None
    valid_to: datetime | None


class ExplanationOut(Out):
    """Whether an account may do something somewhere, and why.

    `why`: `granted`; `expired`: the role in `by` would allow it, but not at this time;
    `elsewhere`: not here; `role`: no role held allows it. `visible`: whether the account may
    know that the thing exists (else it is answered 404, not 403). `disabled`: the account
    may do nothing at all. `by` is null where it is not the reader's to see.
    """

    account_id: UUID
    permission: Permission
    allowed: bool
    why: Why
    visible: bool
    disabled: bool
    by: RoleAtOut | None


class HeldRoleOut(Out):
    """A role held now: where, what it allows there, and which roles it may give there."""

    at: RoleAtOut
    permissions: list[Permission]
    may_give: list[Role]


class MyPermissionsOut(Out):
    """What the signed-in account may do: by role, and (`permissions`) anywhere at all."""

    roles: list[HeldRoleOut]
    permissions: list[Permission]
