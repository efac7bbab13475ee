"""数据统计, as the API shows it: every value that there can be is named, at 0 too."""

from typing import Self
from uuid import UUID

from business_api.places.models import HouseClass, HouseState
from business_api.residents.models import ResidentType
from business_api.schemas import Out
from business_api.statistics.figures import Figures
from business_api.statistics.scopes import Row
from device_registry.devices.queries import Presence
from device_registry.devices.states import Status


class StatisticsOut(Out):
    """Counts as of now.

    `houses_by_class` leaves out houses whose class is not said; `occupied_share` is that of
    the houses in which somebody lives, 0 to 1, null without houses; a resident counts once
    in each house; stations that were given back do not count, and presence is that of
    active ones; openings are those that happened.
    """

    communities: int
    buildings: int
    houses: int
    houses_by_state: dict[HouseState, int]
    houses_by_class: dict[HouseClass, int]
    occupied: int
    occupied_share: float | None
    residents: int
    residents_by_type: dict[ResidentType, int]
    stations: int
    stations_by_status: dict[Status, int]
    stations_by_presence: dict[Presence, int]
    certifications_waiting: int
    openings_7_days: int
    openings_30_days: int

    @classmethod
    def of(cls, found: Figures) -> Self:
        """Figures, spelled out."""
        return cls(
            communities=found.communities,
            buildings=found.buildings,
            houses=found.houses,
            houses_by_state={state: found.houses_by_state[state] for state in HouseState},
            houses_by_class={class_: found.houses_by_class[class_] for class_ in HouseClass},
            occupied=found.occupied,
            occupied_share=round(found.occupied / found.houses, 4) if found.houses else None,
            residents=found.residents,
            residents_by_type={type_: found.residents_by_type[type_] for type_ in ResidentType},
            stations=found.stations,
            stations_by_status={
                status: found.stations_by_status[status]
                for status in Status
                if status is not Status.UNBOUND
            },
            stations_by_presence={here: found.stations_by_presence[here] for here in Presence},
            certifications_waiting=found.certifications_waiting,
            openings_7_days=found.openings_7_days,
            openings_30_days=found.openings_30_days,
        )


class StatisticsRowOut(Out):
    """One company or community in a list."""

    id: UUID
    name: str
    statistics: StatisticsOut

    @classmethod
    def of(cls, row: Row) -> Self:
        """A row, spelled out."""
        return cls(id=row.id, name=row.name, statistics=StatisticsOut.of(row.figures))
