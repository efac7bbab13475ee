"""What has changed in a community since somebody looked last, and who may see it.

Two questions answer it, whatever has happened in between: where every station stands, and
the newest openings. Openings that a station reports hours later (it was offline) belong to
the list, not to the live view.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from business_api.devices.openings import named
from business_api.schemas import Out
from device_registry.devices import overview
from device_registry.devices.overview import Standing
from device_registry.devices.queries import Presence
from device_registry.devices.states import Status
from device_registry.journal import queries
from device_registry.journal.queries import Record, RecordFilter
from foundation.runner import Context

WINDOW: Final = timedelta(hours=1)
NEWEST: Final = queries.MOST
AT_ONCE: Final = 200
"""Stations in one event."""


class StandingOut(Out):
    """Where a station stands now."""

    station_id: UUID
    status: Status
    presence: Presence
    since: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """One station or opening, as JSON, and what decides who may see it."""

    of: UUID | None
    """The station of a presence, the house of an opening."""
    json: str
    at: datetime | None = None
    """Of an opening."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one stream may see: all of some communities, and its own doors and houses."""

    communities: frozenset[UUID]
    """In which it looks for any of the below."""
    stations_of: Collection[UUID] = frozenset()
    openings_of: Collection[UUID] = frozenset()
    stations: Collection[UUID] = frozenset()
    houses: Mapping[UUID, datetime] = field(default_factory=dict)
    """Each since when; see `openings.homes`."""

    def lived_in(self, item: Item) -> bool:
        """Whether an opening was in the name of one of its houses, while it lived there."""
        begun = self.houses.get(item.of) if item.of else None
        return begun is not None and item.at is not None and item.at >= begun


@dataclass(frozen=True, slots=True)
class Change:
    """One event: some stations, or one opening. `id` is where an opening stands in time."""

    event: Literal["presence", "opening"]
    community_id: UUID
    items: tuple[Item, ...]
    id: str | None = None

    def within(self, scope: Scope) -> "Change | None":
        """What of it `scope` may see; None: nothing."""
        if self.event == "presence":
            if self.community_id in scope.stations_of:
                return self
            mine = tuple(item for item in self.items if item.of in scope.stations)
        else:
            if self.community_id in scope.openings_of:
                return self
            mine = tuple(item for item in self.items if scope.lived_in(item))
        return replace(self, items=mine) if mine else None

    @property
    def data(self) -> str:
        """The JSON of the event: an array of stations, or one opening."""
        if self.event == "opening":
            return self.items[0].json
        return f"[{','.join(item.json for item in self.items)}]"


class Seen:
    """What was last seen in one community."""

    def __init__(self, community_id: UUID) -> None:
        self._community_id = community_id
        self._standings: dict[UUID, Standing] | None = None
        self._openings: dict[str, Record] | None = None

    async def look(self, context: Context) -> list[Change] | None:
        """What has changed since the last look, in the order of time; nothing at the first.

        Two statements, and two for names when there are new openings.

        Returns:
            None when so much happened that some of it may be missing here.
        """
        now = context.clock()
        standings = await overview.standings(
            self._community_id, now, stale_after=context.settings.devices.stale_after
        )
        records = await newest([self._community_id], now)
        moved = _moved(self._standings, standings)
        fresh, missed = _fresh(self._openings, records)
        self._standings = {standing.device_id: standing for standing in standings}
        self._openings = {record.id: record for record in records}
        if missed:
            return None
        return [*_presences(self._community_id, moved), *await openings(fresh)]


async def newest(communities: Collection[UUID], now: datetime) -> list[Record]:
    """The openings of the last hour, the latest first; at most `NEWEST`. One statement."""
    wanted = RecordFilter(
        communities=communities,
        since=now - WINDOW,
        until=now + WINDOW,  # a station's clock may be ahead of ours
    )
    records, _ = await queries.records(wanted, limit=NEWEST)
    return records


async def openings(records: Sequence[Record]) -> list[Change]:
    """Events, in the order of time, for records that came latest first. Two statements."""
    if not records:
        return []
    shown = await named(records)
    changes = [
        Change(
            "opening",
            record.community_id,
            (Item(record.house_id, out.model_dump_json(), record.at),),
            mark(record),
        )
        for record, out in zip(records, shown, strict=True)
    ]
    return changes[::-1]


def mark(record: Record) -> str:
    """Where an opening stands in time, and how far it had got: the id of its event."""
    return f"{record.at.isoformat()}/{record.id}/{record.outcome}"


def since(records: Sequence[Record], last: str) -> list[Record] | None:
    """Those of the newest `records` that a stream has missed whose last event was `last`.

    Also those from before it that were settled after it: they were sent unsettled, if at
    all. Both lists have the latest first.

    Returns:
        None when that cannot be said: `last` is none of ours, or too long ago.
    """
    at, _, rest = last.partition("/")
    id_, _, outcome = rest.partition("/")
    try:
        then = datetime.fromisoformat(at)
    except ValueError:
        return None
    if then.tzinfo is None or (len(records) == NEWEST and then < records[-1].at):
        return None
    if not any(record.id == id_ for record in records):
        return None
    return [
        record
        for record in records
        if (record.at, record.id) > (then, id_)
        or (record.id == id_ and record.outcome != outcome)
        or (record.id != id_ and (record.settled_at is None or record.settled_at > then))
    ]


def _moved(before: dict[UUID, Standing] | None, now: Sequence[Standing]) -> list[Standing]:
    if before is None:
        return []
    moved = [standing for standing in now if before.get(standing.device_id) != standing]
    gone = before.keys() - {standing.device_id for standing in now}
    return moved + [
        Standing(device_id, Status.UNBOUND, Presence.OFFLINE, None, "unbound") for device_id in gone
    ]


def _fresh(before: dict[str, Record] | None, now: Sequence[Record]) -> tuple[list[Record], bool]:
    """New or changed records, and whether there may be more of them than `now` holds."""
    if before is None:
        return [], False
    fresh = [record for record in now if before.get(record.id) != record]
    return fresh, len(now) == NEWEST and not any(record.id in before for record in now)


def _presences(community_id: UUID, moved: Sequence[Standing]) -> list[Change]:
    items = [
        Item(
            standing.device_id,
            StandingOut(
                station_id=standing.device_id,
                status=standing.status,
                presence=standing.presence,
                since=standing.since,
                reason=standing.reason,
            ).model_dump_json(),
        )
        for standing in moved
    ]
    return [
        Change("presence", community_id, tuple(items[start : start + AT_ONCE]))
        for start in range(0, len(items), AT_ONCE)
    ]
