"""Where something is in the tenant tree (BR26)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ScopeType(StrEnum):
    """The levels at which a role can be held, widest first."""

    PLATFORM = "platform"
    OPERATOR = "operator"
    COMPANY = "company"
    COMMUNITY = "community"
    BUILDING = "building"
    HOUSE = "house"
    SHOP = "shop"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a row is: the ids of its place in the tree, as far down as they apply.

    `Site()` is the platform itself.
    """

    operator_id: UUID | None = None
    company_id: UUID | None = None
    community_id: UUID | None = None
    building_id: UUID | None = None
    house_id: UUID | None = None
    shop_id: UUID | None = None

    def at(self, level: ScopeType) -> UUID | None:
        """The id of this place at `level`; None when it lies above it."""
        return None if level is ScopeType.PLATFORM else getattr(self, f"{level}_id")
