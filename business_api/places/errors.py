"""What can go wrong with places. What is in another community does not exist here."""

from foundation.errors import DomainError, Kind


class NoSuchZone(DomainError):
    """No zone the actor may know of has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-zone", "There is no such zone"
    title_zh = "区不存在"


class NoSuchBuilding(DomainError):
    """No building of this community has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-building", "There is no such building"
    title_zh = "楼栋不存在"


class NoSuchUnit(DomainError):
    """No unit of this community (and building) has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-unit", "There is no such unit"
    title_zh = "单元不存在"


class NoSuchHouse(DomainError):
    """No house of this community has this id."""

    kind, code, title = Kind.NOT_FOUND, "no-such-house", "There is no such house"
    title_zh = "房屋不存在"


class CodeTaken(DomainError):
    """Something beside it has this code already."""

    kind, code, title = Kind.CONFLICT, "code-taken", "The code is taken"
    title_zh = "编号已被使用"


class UnitMismatch(DomainError):
    """A house belongs to a unit where the building has units, and to none where it has not."""

    kind, code, title = Kind.INVALID, "unit-mismatch", "Building and unit do not fit together"
    title_zh = "楼栋与单元不匹配"


class NoUnitsHere(DomainError):
    """The building is not divided into units: switch 单元启用 on first."""

    kind, code, title = Kind.CONFLICT, "no-units-here", "The building has no units"
    title_zh = "该楼栋未启用单元"


class PlaceInUse(DomainError):
    """Something hangs on the place; `by` says what: units, houses, residents, stations, ...."""

    kind, code, title = Kind.CONFLICT, "place-in-use", "Something still belongs to this place"
    title_zh = "该处仍有关联内容，不能删除或更改"


class TooManyHouses(DomainError):
    """More houses at once than are made in one go."""

    kind, code, title = Kind.INVALID, "too-many-houses", "Too many houses at once"
    title_zh = "一次生成的房屋过多"
