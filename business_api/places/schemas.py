"""Zones, buildings and units, as the API shows them. Times are UTC."""

from collections.abc import Sequence, Sized
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from business_api.places.deleting import Kept
from business_api.places.models import Building, Unit, Zone
from business_api.schemas import ChangeIn, Code, In, Out

_LINE = r"^[^\x00-\x1f\x7f]*$"

PlaceName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=_LINE)
]
Floors = Annotated[int, Field(ge=1, le=200)]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=100)]


class ZoneIn(In):
    """区, e.g. "A" 东区."""

    code: Code
    name: PlaceName


class ZoneChangeIn(ChangeIn):
    """See `ZoneIn`."""

    code: Code | None = None
    name: PlaceName | None = None


class ZoneOut(Out):
    """区."""

    id: UUID
    community_id: UUID
    community_name: str
    code: str
    name: str
    version: int

    @classmethod
    def of(cls, row: Zone, communities: dict[UUID, str]) -> Self:
        """A row, and what communities are called."""
        return cls(
            id=row.id,
            community_id=row.community_id,
            community_name=communities.get(row.community_id, ""),
            code=row.code,
            name=row.name,
            version=row.version,
        )


class BuildingIn(In):
    """`code` (digits are advised: "01"), `name` ("1号楼"), 单元启用, and its zone, if any."""

    code: Code
    name: PlaceName
    has_units: bool
    zone_id: UUID | None = None


class BuildingChangeIn(ChangeIn):
    """See `BuildingIn`."""

    NULLABLE = frozenset({"zone_id"})

    code: Code | None = None
    name: PlaceName | None = None
    has_units: bool | None = None
    zone_id: UUID | None = None


class BuildingOut(Out):
    """楼栋."""

    id: UUID
    community_id: UUID
    community_name: str
    zone_id: UUID | None
    zone_name: str
    code: str
    name: str
    has_units: bool
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, row: Building, communities: dict[UUID, str]) -> Self:
        """A row with its zone loaded, and what communities are called."""
        return cls(
            id=row.id,
            community_id=row.community_id,
            community_name=communities.get(row.community_id, ""),
            zone_id=row.zone.id if row.zone else None,
            zone_name=row.zone.name if row.zone else "",
            code=row.code,
            name=row.name,
            has_units=row.has_units,
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
        )


class UnitIn(In):
    """`code`, e.g. "1"; how many floors, and whether there is a lift, if known."""

    code: Code
    floors: Floors | None = None
    lift: bool | None = None


class UnitChangeIn(ChangeIn):
    """See `UnitIn`."""

    NULLABLE = frozenset({"floors", "lift"})

    code: Code | None = None
    floors: Floors | None = None
    lift: bool | None = None


class UnitOut(Out):
    """单元."""

    id: UUID
    community_id: UUID
    building_id: UUID
    building_code: str
    building_name: str
    code: str
    floors: int | None
    lift: bool | None
    version: int

    @classmethod
    def of(cls, row: Unit) -> Self:
        """A row with its building loaded."""
        return cls(
            id=row.id,
            community_id=row.community_id,
            building_id=row.building.id,
            building_code=row.building.code,
            building_name=row.building.name,
            code=row.code,
            floors=row.floors,
            lift=row.lift,
            version=row.version,
        )


class IdsIn(In):
    """Those ticked in a list."""

    ids: Ids


class KeptOut(Out):
    """A place that was not deleted. `by`: units, houses, residents, stations, ...."""

    id: UUID
    code: str
    by: list[str]


class DeletedOut(Out):
    """How many were deleted, and which were not."""

    deleted: int
    kept: list[KeptOut]

    @classmethod
    def of(cls, asked: Sized, kept: Sequence[Kept]) -> Self:
        """Of those that were asked for, these stay."""
        return cls(
            deleted=len(asked) - len(kept), kept=[KeptOut.model_validate(one) for one in kept]
        )
