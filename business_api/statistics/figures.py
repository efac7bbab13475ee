"""Counting communities: a fixed number of statements for any number of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from tortoise.expressions import Q
from tortoise.functions import Count
from tortoise.models import Model
from tortoise.queryset import QuerySet

from business_api.certification.models import Certification
from business_api.certification.states import State
from business_api.places.models import Building, House, HouseClass, HouseState
from business_api.residents.models import Occupancy, ResidentType
from business_api.residents.times import Standing, with_standing
from device_registry.devices import overview
from device_registry.devices.queries import Presence
from device_registry.devices.states import Status
from device_registry.journal import counts
from foundation.runner import Context

E = TypeVar("E", bound=StrEnum)
M = TypeVar("M", bound=Model)

WEEK: Final = timedelta(days=7)
MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is in some communities, now. What is not in a counter is none."""

    communities: int = 0
    buildings: int = 0
    houses: int = 0
    houses_by_state: Counter[HouseState] = field(default_factory=Counter)
    houses_by_class: Counter[HouseClass] = field(default_factory=Counter)
    """Of those whose class is said."""
    occupied: int = 0
    """Houses in which somebody lives."""
    residents: int = 0
    """A person counts once in each house."""
    residents_by_type: Counter[ResidentType] = field(default_factory=Counter)
    stations: int = 0
    """Those that were given back do not count."""
    stations_by_status: Counter[Status] = field(default_factory=Counter)
    stations_by_presence: Counter[Presence] = field(default_factory=Counter)
    """Of the active ones."""
    certifications_waiting: int = 0
    """For somebody to review them."""
    openings_7_days: int = 0
    openings_30_days: int = 0

    def __add__(self, other: Self) -> "Figures":
        """Both together."""
        return Figures(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


def total(figures: Iterable[Figures]) -> Figures:
    """All together."""
    return sum(figures, Figures())


async def of_communities(context: Context, ids: Sequence[UUID]) -> dict[UUID, Figures]:
    """The figures of each community. Seven statements, whatever their number."""
    if not ids:
        return {}
    now = context.clock()
    here = Q(community_id__in=list(ids))
    buildings = await _counted(Building.filter(here))
    houses = await _counted(House.filter(here), "house_class", "state")
    living = Occupancy.filter(here, with_standing(Standing.LIVE, now))
    residents = await _counted(living, "type")
    occupied = await _counted(living, distinct="house_id")
    waiting = await _counted(Certification.filter(here, state=State.PENDING_REVIEW))
    stale_after = context.settings.devices.stale_after
    stations = await overview.counts_of_each(ids, now, stale_after=stale_after)
    openings = await counts.openings(ids, [now - WEEK, now - MONTH], now)
    return {
        id_: Figures(
            communities=1,
            buildings=_all(buildings, id_),
            houses=_all(houses, id_),
            houses_by_state=_by(houses, id_, "state", HouseState),
            houses_by_class=_by(houses, id_, "house_class", HouseClass),
            occupied=_all(occupied, id_),
            residents=_all(residents, id_),
            residents_by_type=_by(residents, id_, "type", ResidentType),
            stations=sum(stations[id_].status.values()),
            stations_by_status=Counter(stations[id_].status),
            stations_by_presence=Counter(stations[id_].presence),
            certifications_waiting=_all(waiting, id_),
            openings_7_days=openings[id_][0],
            openings_30_days=openings[id_][1],
        )
        for id_ in ids
    }


async def _counted(
    which: QuerySet[M], *by: str, distinct: str = ""
) -> dict[UUID, list[dict[str, Any]]]:
    """How many rows each community has, as `n`, for each combination of `by`. One statement."""
    number = Count(distinct, distinct=True) if distinct else Count("id")
    rows = which.annotate(n=number).group_by("community_id", *by)
    found: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await rows.values("community_id", *by, "n"):
        found[row["community_id"]].append(row)
    return found


def _all(counted: Mapping[UUID, list[dict[str, Any]]], id_: UUID) -> int:
    return sum(row["n"] for row in counted.get(id_, ()))


def _by(
    counted: Mapping[UUID, list[dict[str, Any]]], id_: UUID, column: str, kind: type[E]
) -> Counter[E]:
    tally = Counter[E]()
    for row in counted.get(id_, ()):
        if row[column] is not None:
            tally[kind(row[column])] += row["n"]
    return tally
