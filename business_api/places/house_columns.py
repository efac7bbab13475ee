"""The columns of houses in a workbook: the same for import, template and export."""

from collections.abc import Callable, Mapping
from typing import Final

from business_api.imports import cells
from business_api.imports.kinds import Column, Words
from business_api.places.models import House, HouseClass, HouseState

CLASSES: Final[Mapping[HouseClass, Words]] = {
    HouseClass.HIGH_RISE: Words("高层", "High-rise"),
    HouseClass.MULTI_STOREY: Words("多层", "Multi-storey"),
    HouseClass.ROW: Words("联排", "Row house"),
    HouseClass.DETACHED: Words("独栋", "Detached"),
    HouseClass.COMMERCIAL: Words("商业", "Commercial"),
}
STATES: Final[Mapping[HouseState, Words]] = {
    HouseState.VACANT: Words("空置", "Vacant"),
    HouseState.OCCUPIED: Words("入住", "Occupied"),
    HouseState.RENOVATING: Words("装修", "Renovating"),
    HouseState.LET: Words("出租", "Let"),
    HouseState.FOR_SALE: Words("待售", "For sale"),
}

COLUMNS: Final = (
    Column(
        "building_code",
        Words("楼栋编号", "Building code"),
        cells.code,
        required=True,
        example="01",
        note=Words(
            "建议用数字；没有的楼栋会自动新建",
            "Digits are advised; a building that is not there is made",
        ),
    ),
    Column(
        "building_name",
        Words("楼栋名称", "Building name"),
        cells.text(40),
        example="1号楼",
        note=Words(
            "新建楼栋时使用；已有的楼栋须与其名称一致",
            "For a new building; that of one that is there must be the same",
        ),
    ),
    Column(
        "unit_code",
        Words("单元", "Unit"),
        cells.code,
        example="1",
        note=Words("楼栋未启用单元时留空", "Empty where the building has no units"),
    ),
    Column(
        "code",
        Words("房屋编号", "House code"),
        cells.code,
        required=True,
        example="0101",
        note=Words("建议为楼层加房间号", "Floor and room are advised"),
    ),
    Column("room_no", Words("房号", "Room"), cells.text(20), example="101"),
    Column("floor", Words("楼层", "Floor"), cells.integer(-9, 200), example="1"),
    Column("house_class", Words("房屋等级", "House class"), choices=CLASSES, example="高层"),
    Column(
        "area",
        Words("面积", "Area"),
        cells.decimal("0.01", "1000000", 2),
        example="88.50",
        note=Words("平方米，最多两位小数", "In square metres, with two decimals at most"),
    ),
    Column(
        "state",
        Words("状态", "State"),
        choices=STATES,
        example="空置",
        note=Words(
            "空置与入住由住户登记决定，仅在新建房屋时采用",
            "Vacant and occupied follow from the residents, and count for a new house only",
        ),
    ),
)

_TEXT: Final[Mapping[str, Callable[[House], object]]] = {
    "building_code": lambda house: house.building.code,
    "building_name": lambda house: house.building.name,
    "unit_code": lambda house: house.unit.code if house.unit else None,
}


def texts(house: House, words: Callable[[Words], str]) -> list[str]:
    """The cells of a house; building and unit must be loaded. `words` chooses the language."""
    cells_ = []
    for column in COLUMNS:
        of = _TEXT.get(column.key)
        value = of(house) if of else getattr(house, column.key)
        text = words(column.choices[value]) if value in column.choices else value
        cells_.append("" if text is None else str(text))
    return cells_
