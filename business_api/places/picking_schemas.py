"""Places to choose from, as the API shows them."""

from uuid import UUID

from business_api.schemas import Out


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
