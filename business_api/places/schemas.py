"""Places, as the API shows them."""

from uuid import UUID

from business_api.schemas import Code, In, Name, Out


class CommunityOut(Out):
    """The signed-in account's community."""

    id: UUID
    name: str


class BuildingIn(In):
    """`code` ("01"), `name` ("1号楼"), and whether its houses hang on units."""

    code: Code
    name: Name
    has_units: bool


class BuildingNameIn(In):
    """A new name."""

    name: Name


class BuildingOut(Out):
    """A building."""

    id: UUID
    code: str
    name: str
    has_units: bool
    version: int


class UnitIn(In):
    """`code`, e.g. "1"."""

    code: Code


class UnitOut(Out):
    """A unit of a building."""

    id: UUID
    building_id: UUID
    code: str


class HouseIn(In):
    """`unit_id` where the building has units, null where it has not; `code`, e.g. "0101"."""

    building_id: UUID
    unit_id: UUID | None = None
    code: Code


class HouseCodeIn(In):
    """A new code."""

    code: Code


class HouseOut(Out):
    """A house and what it hangs on."""

    id: UUID
    code: str
    building_id: UUID
    building_name: str
    unit_id: UUID | None
    unit_code: str
    version: int
