"""Houses, as the API shows them. Times are UTC, areas m² as decimal text ("88.50")."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from business_api.places.models import House, HouseClass, HouseState
from business_api.places.names import house_name
from business_api.schemas import ChangeIn, Code, In, Out

_LINE = r"^[^\x00-\x1f\x7f]*$"

RoomNo = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20, pattern=_LINE)]
Floor = Annotated[int, Field(ge=-9, le=200)]


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        raise ValueError("write it as text: 88.50")  # noqa: TRY004  (pydantic wants this one)
    return value


Area = Annotated[
    Decimal, BeforeValidator(_exact), Field(gt=0, le=1_000_000, max_digits=9, decimal_places=2)
]


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

    NULLABLE = frozenset({"floor", "house_class", "area"})

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
