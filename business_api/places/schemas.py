"""Places, as the API shows them. Times are UTC, areas m² as decimal text ("88.50")."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from business_api.places.models import Building, House, HouseClass, HouseState, Unit, Zone
from business_api.places.names import house_name
from business_api.schemas import Code, In, Out

_LINE = r"^[^\x00-\x1f\x7f]*$"

PlaceName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=_LINE)
]
RoomNo = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20, pattern=_LINE)]
Floor = Annotated[int, Field(ge=-9, le=200)]
Floors = Annotated[int, Field(ge=1, le=200)]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=100)]


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        raise ValueError("write it as text: 88.50")  # noqa: TRY004  (pydantic wants this one)
    return value


Area = Annotated[
    Decimal, BeforeValidator(_exact), Field(gt=0, le=1_000_000, max_digits=9, decimal_places=2)
]


class ChangeIn(In):
    """An edit: only what is said changes; null where nothing is a value."""

    def changes(self) -> dict[str, Any]:
        """What is said."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change")
        needed = {"code", "name", "has_units", "room_no", "state"}
        if any(getattr(self, name) is None for name in self.model_fields_set & needed):
            raise ValueError("null is no value")
        return self


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


class HouseIn(In):
    """`unit_id` where the building has units, null where it has not; `code`, e.g. "0101"."""

    unit_id: UUID | None = None
    code: Code
    room_no: RoomNo = ""
    floor: Floor | None = None
    house_class: HouseClass | None = None
    area: Area | None = None
    state: HouseState = HouseState.VACANT


class HouseChangeIn(ChangeIn):
    """See `HouseIn`; where a house is does not change."""

    code: Code | None = None
    room_no: RoomNo | None = None
    floor: Floor | None = None
    house_class: HouseClass | None = None
    area: Area | None = None
    state: HouseState | None = None


class HouseOut(Out):
    """房屋 and where it is. `unit_code` is empty where there are no units."""

    id: UUID
    community_id: UUID
    building_id: UUID
    building_code: str
    building_name: str
    unit_id: UUID | None
    unit_code: str
    code: str
    name: str
    """1号楼 1单元 0101."""
    room_no: str
    floor: int | None
    house_class: HouseClass | None
    area: Decimal | None
    state: HouseState
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, row: House) -> Self:
        """A row with building and unit loaded."""
        return cls(
            id=row.id,
            community_id=row.community_id,
            building_id=row.building.id,
            building_code=row.building.code,
            building_name=row.building.name,
            unit_id=row.unit.id if row.unit else None,
            unit_code=row.unit.code if row.unit else "",
            code=row.code,
            name=house_name(row),
            room_no=row.room_no,
            floor=row.floor,
            house_class=row.house_class,
            area=row.area,
            state=row.state,
            created_at=row.created_at,
            updated_at=row.updated_at,
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


class GenerateHousesIn(In):
    """Houses of a building by floor and room: 2 floors x 2 rooms are 0101 0102 0201 0202.

    `unit_ids`: in these units of the building; null: in all of them. `skip_floors`: floors
    that a building leaves out. With `preview` nothing is made.
    """

    unit_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    first_floor: Annotated[int, Field(ge=1, le=99)] = 1
    last_floor: Annotated[int, Field(ge=1, le=99)]
    rooms: Annotated[int, Field(ge=1, le=99)]
    skip_floors: Annotated[
        tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(max_length=99)
    ] = ()
    house_class: HouseClass | None = None
    area: Area | None = None
    preview: bool = False


class GeneratedHouseOut(Out):
    """A house of the pattern, and whether it was there before."""

    unit_code: str
    code: str
    room_no: str
    floor: int
    exists: bool


class GeneratedHousesOut(Out):
    """What was made, or would be."""

    created: int
    existing: int
    houses: list[GeneratedHouseOut]


class TreeUnitOut(Out):
    """A unit and how many houses it has."""

    id: UUID
    code: str
    houses: int


class TreeBuildingOut(Out):
    """A building, its units, and how many houses it has altogether."""

    id: UUID
    code: str
    name: str
    has_units: bool
    houses: int
    units: list[TreeUnitOut]


class TreeZoneOut(Out):
    """A zone and its buildings; the one with null id holds buildings outside any zone."""

    id: UUID | None
    code: str
    name: str
    buildings: list[TreeBuildingOut]


class TreeOut(Out):
    """A community down to its units."""

    id: UUID
    name: str
    houses: int
    zones: list[TreeZoneOut]


class DirectoryBuildingOut(Out):
    """A building as somebody sees it who lives there or wants to say so."""

    id: UUID
    code: str
    name: str
    has_units: bool
    zone_name: str


class DirectoryUnitOut(Out):
    """A unit."""

    id: UUID
    code: str


class DirectoryHouseOut(Out):
    """A house: what is written on its door, and nothing of who lives behind it."""

    id: UUID
    code: str
    room_no: str
    floor: int | None
