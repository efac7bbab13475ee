"""Which role may do what, and who may give it (`product.md` §2, R1-R11)."""

from enum import StrEnum
from typing import Final

from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType

P = Permission


class Role(StrEnum):
    """A named set of permissions, held at a scope."""

    SUPER_ADMIN = "super_admin"
    OPERATOR_ADMIN = "operator_admin"
    PROPERTY_ADMIN = "property_admin"
    COMMUNITY_ADMIN = "community_admin"
    HOUSE_REVIEWER = "house_reviewer"
    CASHIER = "cashier"
    REPAIR_WORKER = "repair_worker"
    INSTALLER = "installer"
    O2O_OPERATOR = "o2o_operator"
    SHOP_ADMIN = "shop_admin"
    OWNER = "owner"
    FAMILY = "family"
    TENANT = "tenant"
    VISITOR = "visitor"
    """Comes for a long time: a nurse, a relative."""
    NEIGHBOUR = "neighbour"
    """What every resident may in the community. Like the four above it follows from an
    occupancy and is never given by hand."""


_STAFF: Final = frozenset({P.COMMUNITY_VIEW, P.PLACE_VIEW, P.DICTIONARY_VIEW})
_AT_HOME: Final = frozenset(
    {P.HOUSE_VIEW, P.DOOR_VIEW, P.DOOR_OPEN, P.OPENING_VIEW, P.RESIDENT_VIEW}
)

ROLES: Final[dict[Role, frozenset[P]]] = {
    Role.SUPER_ADMIN: frozenset(
        {
            P.OPERATOR_VIEW,
            P.OPERATOR_MANAGE,
            P.ACCOUNT_VIEW,
            P.ACCOUNT_MANAGE,
            P.DICTIONARY_VIEW,
            P.DICTIONARY_MANAGE,
            P.AUDIT_VIEW,
            P.AUDIT_EXPORT,
        }
    ),
    Role.OPERATOR_ADMIN: _STAFF
    | {
        P.OPERATOR_VIEW,
        P.COMPANY_VIEW,
        P.COMPANY_MANAGE,
        P.STATISTICS_VIEW,
        P.ACCOUNT_VIEW,
        P.ACCOUNT_MANAGE,
        P.DICTIONARY_MANAGE,
        P.STATION_VIEW,
        P.DOOR_VIEW,
        P.CODE_VIEW,
        P.CODE_MANAGE,
        P.IMPORT_VIEW,
        P.IMPORT_RUN,
        P.AUDIT_VIEW,
        P.AUDIT_EXPORT,
    },
    Role.PROPERTY_ADMIN: _STAFF
    | {
        P.COMPANY_VIEW,
        P.COMMUNITY_MANAGE,
        P.STATISTICS_VIEW,
        P.ACCOUNT_VIEW,
        P.ACCOUNT_MANAGE,
        P.HOUSE_VIEW,
        P.CERTIFICATION_VIEW,
        P.STATION_VIEW,
        P.DOOR_VIEW,
        P.OPENING_VIEW,
        P.OPENING_EXPORT,
        P.IMPORT_VIEW,
        P.IMPORT_RUN,
        P.AUDIT_VIEW,
        P.AUDIT_EXPORT,
    },
    Role.COMMUNITY_ADMIN: _STAFF
    | {
        P.ACCOUNT_VIEW,
        P.ACCOUNT_MANAGE,
        P.PLACE_MANAGE,
        P.HOUSE_VIEW,
        P.HOUSE_MANAGE,
        P.RESIDENT_VIEW,
        P.RESIDENT_MANAGE,
        P.RESIDENT_END,
        P.RESIDENT_REVEAL,
        P.RESIDENT_ERASE,
        P.CERTIFICATION_VIEW,
        P.CERTIFICATION_REVIEW,
        P.CERTIFICATION_REVOKE,
        P.STATION_VIEW,
        P.STATION_MANAGE,
        P.CODE_VIEW,
        P.DOOR_VIEW,
        P.DOOR_OPEN,
        P.OPENING_VIEW,
        P.OPENING_EXPORT,
        P.IMPORT_VIEW,
        P.IMPORT_RUN,
        P.AUDIT_VIEW,
        P.AUDIT_EXPORT,
    },
    # R5: certifications and nothing else. It names houses and shows what was handed in.
    Role.HOUSE_REVIEWER: frozenset(
        {P.COMMUNITY_VIEW, P.CERTIFICATION_VIEW, P.CERTIFICATION_REVIEW}
    ),
    Role.CASHIER: _STAFF | {P.HOUSE_VIEW},
    Role.REPAIR_WORKER: _STAFF,
    Role.INSTALLER: _STAFF | {P.STATION_VIEW, P.STATION_MANAGE, P.CODE_VIEW, P.DOOR_VIEW},
    Role.O2O_OPERATOR: _STAFF,
    Role.SHOP_ADMIN: frozenset({P.DICTIONARY_VIEW}),
    # It sees who wants to live there, and not what was handed in for it.
    Role.OWNER: _AT_HOME | {P.RESIDENT_END, P.CERTIFICATION_REVOKE},
    Role.FAMILY: _AT_HOME,
    Role.TENANT: _AT_HOME,
    Role.VISITOR: frozenset({P.HOUSE_VIEW, P.DOOR_VIEW, P.DOOR_OPEN}),
    Role.NEIGHBOUR: frozenset({P.COMMUNITY_VIEW, P.PLACE_VIEW, P.DICTIONARY_VIEW}),
}

SCOPE: Final[dict[Role, frozenset[ScopeType]]] = {
    Role.SUPER_ADMIN: frozenset({ScopeType.PLATFORM}),
    Role.OPERATOR_ADMIN: frozenset({ScopeType.OPERATOR}),
    Role.PROPERTY_ADMIN: frozenset({ScopeType.COMPANY}),
    Role.COMMUNITY_ADMIN: frozenset({ScopeType.COMMUNITY}),
    Role.HOUSE_REVIEWER: frozenset({ScopeType.COMMUNITY, ScopeType.BUILDING}),
    Role.CASHIER: frozenset({ScopeType.COMMUNITY}),
    Role.REPAIR_WORKER: frozenset({ScopeType.COMMUNITY, ScopeType.BUILDING}),
    Role.INSTALLER: frozenset({ScopeType.COMMUNITY}),
    Role.O2O_OPERATOR: frozenset({ScopeType.COMMUNITY}),
    Role.SHOP_ADMIN: frozenset({ScopeType.SHOP}),
    Role.OWNER: frozenset({ScopeType.HOUSE}),
    Role.FAMILY: frozenset({ScopeType.HOUSE}),
    Role.TENANT: frozenset({ScopeType.HOUSE}),
    Role.VISITOR: frozenset({ScopeType.HOUSE}),
    Role.NEIGHBOUR: frozenset({ScopeType.COMMUNITY}),
}
"""At which levels a role can be held."""

MAY_GIVE: Final[dict[Role, frozenset[Role]]] = {
    Role.SUPER_ADMIN: frozenset({Role.OPERATOR_ADMIN}),
    Role.OPERATOR_ADMIN: frozenset(
        {Role.PROPERTY_ADMIN, Role.COMMUNITY_ADMIN, Role.O2O_OPERATOR, Role.SHOP_ADMIN}
    ),
    Role.PROPERTY_ADMIN: frozenset({Role.COMMUNITY_ADMIN, Role.HOUSE_REVIEWER}),
    Role.COMMUNITY_ADMIN: frozenset(
        {Role.HOUSE_REVIEWER, Role.CASHIER, Role.REPAIR_WORKER, Role.INSTALLER}
    ),
}
"""Which roles the holder of a role may give and take, inside its own scope (BR1)."""
